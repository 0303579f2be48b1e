import type { Message } from '@confluentinc/kafka-javascript'
import { isDependencyError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { KafkaSettings } from './kafka-settings.ts'
import { recordBatches } from './librdkafka-batch.ts'
import { connect, nativeCalls, newConsumer } from './librdkafka-client.ts'
import { fetchConfig } from './librdkafka-consumer.ts'
import { isFenced, type NativeError, permanentCode, queryError } from './librdkafka-errors.ts'
import type { Position, Reader } from './log.ts'

/** Records that one `read` hands out at most. */
const READ_RECORDS_MAX = 2_000

/** Reads named partitions on librdkafka, read_committed, without joining or committing to any group. */
export async function openLibrdkafkaReader(
  settings: KafkaSettings,
  positions: readonly Position[],
  logger: Logger,
): Promise<Reader> {
  const calls = nativeCalls('reader')
  const native = newConsumer({
    ...fetchConfig(settings, 'millrace-reader', settings.kafkaPrefetchBytesMax),
    // Tells when nothing readable follows, which moves the position past transaction markers.
    'enable.partition.eof': true,
    // The client wants one; nothing is ever committed to it and no membership is taken.
    'group.id': `${settings.kafkaPrefix}millrace.reader`,
  })
  await connect(native, settings, logger)
  native.setDefaultIsTimeoutOnlyForFirstMessage(true)
  const next = new Map(positions.map(({ topic, partition, offset }) => [`${topic}/${partition}`, offset]))
  native.on('partition.eof', ({ topic, partition, offset }) => {
    const key = `${topic}/${partition}`
    next.set(key, Math.max(next.get(key) ?? 0, offset))
  })
  native.assign(positions.map(({ topic, partition, offset }) => ({ topic, partition, offset })))
  /** One read at a time: a read is the only call that moves the position. */
  let turn: Promise<unknown> = Promise.resolve()

  async function read(waitMs: number) {
    native.setDefaultConsumeTimeout(waitMs)
    try {
      const batches = recordBatches(
        await calls.run<Message[]>((done) => native.consume(READ_RECORDS_MAX, done)),
      )
      for (const batch of batches) {
        const key = `${batch.topic}/${batch.partition}`
        next.set(key, Math.max(next.get(key) ?? 0, batch.offset(batch.length - 1) + 1))
      }
      return batches
    } catch (cause) {
      if (isDependencyError(cause)) throw cause
      const error = cause as NativeError
      if (permanentCode(error.code) === null && !isFenced(error) && !error.isFatal) return []
      throw queryError(`Reading ${[...new Set(positions.map((p) => p.topic))].join(', ')}`, error)
    }
  }
  return {
    read(waitMs) {
      const mine = turn.then(() => read(waitMs))
      turn = mine.catch(() => undefined)
      return mine
    },
    position({ topic, partition }) {
      const offset = next.get(`${topic}/${partition}`)
      if (offset === undefined) throw new Error(`${topic}[${partition}] is not read by this reader.`)
      return offset
    },
    async close() {
      if (calls.closed) return
      await calls.close()
      await new Promise<void>((resolve) => native.disconnect(resolve))
    },
  }
}
