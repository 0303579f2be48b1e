import { connect } from 'node:net'

/**
 * Whether any of the brokers accepts a connection.
 *
 * Asked before an administrative request: librdkafka, while such a request waits for the controller, reconnects to a
 * broker that refuses without any pause (each state change wakes the request, which asks for the connection anew), and
 * keeps more than one core busy until the request times out.
 *
 * @param brokers `host:port` texts separated by commas, as in `MILLRACE_KAFKA_BROKERS`
 */
export async function brokerReachable(brokers: string, timeoutMs: number): Promise<boolean> {
  const attempts = brokers.split(',').map((broker) => accepts(broker.trim(), timeoutMs))
  try {
    await Promise.any(attempts)
    return true
  } catch {
    return false
  }
}

function accepts(broker: string, timeoutMs: number): Promise<void> {
  const colon = broker.lastIndexOf(':')
  const host = broker.slice(0, colon).replace(/^\[|\]$/g, '')
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: Number(broker.slice(colon + 1)), timeout: timeoutMs })
    const refuse = (error?: Error) => {
      socket.destroy()
      reject(error ?? new Error(`${broker} did not answer in ${timeoutMs} ms.`))
    }
    socket.once('error', refuse)
    socket.once('timeout', () => refuse())
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
  })
}
