import type { Log } from '../../core/kafka/log.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { isDependencyError } from '../../core/runtime/errors.ts'
import { clockFinding, type Finding, warning } from './check.ts'

const NAME = 'kafka clock'
const WAIT_MS = 5_000

/**
 * Compares the brokers' clock with ours. No answer of Kafka's carries the time, but a record does that was appended: so
 * one is, to a topic that is made for it and deleted again.
 *
 * @param topic a name that nothing else uses
 */
export async function checkKafkaClock(log: Log, topic: string, clock: Clock): Promise<Finding> {
  try {
    const config = { 'message.timestamp.type': 'LogAppendTime', 'retention.ms': '3600000' }
    await log.admin.createTopics([{ topic, partitions: 1, replicationFactor: -1, config }])
    try {
      return await probe(log, topic, clock)
    } finally {
      await log.admin.deleteTopics([topic])
    }
  } catch (error) {
    if (!isDependencyError(error)) throw error
    const fix = `Allow this user to make, write, read and delete topics that begin with ${topic.slice(0, topic.lastIndexOf('.') + 1)}, or look at the brokers’ time service.`
    return warning(NAME, `cannot be compared: ${error.message}`, fix)
  }
}

async function probe(log: Log, topic: string, clock: Clock): Promise<Finding> {
  const producer = await log.openProducer({ clientId: 'doctor', lingerMs: 0, deliveryTimeoutMs: WAIT_MS })
  const reader = await log.openReader([{ topic, partition: 0, offset: 0 }])
  try {
    const send = () => producer.produce([{ topic, partition: 0, key: null, value: Buffer.from('probe') }])
    // The first send also connects, which takes longer than clocks are apart.
    await send()
    const beforeMs = clock.now()
    await send()
    const afterMs = clock.now()
    const deadlineMs = clock.monotonic() + WAIT_MS
    while (clock.monotonic() < deadlineMs)
      for (const batch of await reader.read(100))
        for (let index = 0; index < batch.length; index++)
          if (batch.offset(index) === 1)
            return clockFinding(NAME, batch.timestamp(index), beforeMs, afterMs, 1)
    return warning(NAME, 'what was written could not be read back in time', 'Look at the brokers’ logs.')
  } finally {
    await Promise.all([producer.close(), reader.close()])
  }
}
