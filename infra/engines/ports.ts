import { connect, createServer } from 'node:net'

/**
 * A free port from 20000 to 31999: below the ephemeral range, where an outgoing connection could take it between
 * this check and the engine's own listen.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    if (await portFree(port)) return port
  }
}

/** Whether a server of ours could listen there. */
export function portFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, host, () => server.close(() => resolve(true)))
  })
}

/**
 * Whether a Kafka broker answers there: it is asked for the versions of its API, the one request that every broker
 * takes from everybody. An open port alone may be a broker that is not done starting, or another program.
 */
export function kafkaAnswers(port: number, host = '127.0.0.1', timeoutMs = 2000): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ port, host })
    const done = (answers: boolean) => {
      clearTimeout(limit)
      socket.destroy()
      resolve(answers)
    }
    const limit = setTimeout(() => done(false), timeoutMs)
    let received = Buffer.alloc(0)
    socket.once('connect', () => socket.write(API_VERSIONS_REQUEST))
    socket.on('data', (bytes) => {
      received = Buffer.concat([received, bytes])
      // Length, correlation id, error code.
      if (received.length >= 10)
        done(received.readInt32BE(4) === CORRELATION_ID && received.readInt16BE(8) === 0)
    })
    socket.once('error', () => done(false))
    socket.once('close', () => done(false))
  })
}

const CORRELATION_ID = 0x6d696c6c
/** Size, ApiVersions (18) version 0, correlation id, no client id. */
const API_VERSIONS_REQUEST = Buffer.alloc(14)
API_VERSIONS_REQUEST.writeInt32BE(10, 0)
API_VERSIONS_REQUEST.writeInt16BE(18, 4)
API_VERSIONS_REQUEST.writeInt32BE(CORRELATION_ID, 8)
API_VERSIONS_REQUEST.writeInt16BE(-1, 12)

/** Whether an HTTP server answers there, whatever it says. */
export async function httpAnswers(url: string, timeoutMs = 2000): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(timeoutMs) })
    await response.body?.cancel()
    return true
  } catch {
    return false
  }
}
