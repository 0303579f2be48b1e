import { DependencyError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { KafkaSettings } from './kafka-settings.ts'
import {
  connect,
  connectionConfig,
  type NativeConfig,
  type NativeProducer,
  nativeCalls,
  newProducer,
} from './librdkafka-client.ts'
import { createEnqueue } from './librdkafka-enqueue.ts'
import { effectError, type NativeError, permanentCode } from './librdkafka-errors.ts'
import type { Producer, ProducerOptions } from './log.ts'

/** What both kinds of producer send with. */
export function producerConfig(settings: KafkaSettings, clientId: string): NativeConfig {
  return {
    ...connectionConfig(settings, clientId),
    acks: -1,
    'enable.idempotence': true,
    'compression.codec': 'lz4',
    'queue.buffering.max.kbytes': Math.max(1, Math.ceil(settings.kafkaSendBufferBytesMax / 1024)),
    // The bound is the bytes above; this one would be reached first by small records.
    'queue.buffering.max.messages': 1_000_000,
    // How long a topic may stay unknown before its records fail: longer than a new topic takes to be known.
    'topic.metadata.propagation.max.ms': 5_000,
  }
}

/** One call of `produce` while its records are under way; one for all of them rather than a promise each. */
interface Sending {
  unacknowledged: number
  acknowledged: number
  refusal: NativeError | null
  doubt: NativeError | null
  settle: () => void
}

/** An idempotent producer on librdkafka. Its delivery reports are served on the client's background thread. */
export async function openLibrdkafkaProducer(
  settings: KafkaSettings,
  options: ProducerOptions,
  logger: Logger,
): Promise<Producer> {
  const calls = nativeCalls('producer')
  const producer: NativeProducer = newProducer({
    ...producerConfig(settings, options.clientId),
    'linger.ms': options.lingerMs,
    'message.timeout.ms': options.deliveryTimeoutMs,
    dr_cb: true,
  })
  await connect(producer, settings, logger, (error) =>
    logger.error(
      { code: error.code, detail: error.message },
      'The producer cannot go on; restart the process.',
    ),
  )
  producer.setPollInBackground(true)
  producer.on('delivery-report', (error: NativeError | null, report: { opaque: Sending }) =>
    acknowledge(report.opaque, error),
  )
  const enqueue = createEnqueue(producer)

  return {
    produce: (records) =>
      calls.hold(async () => {
        if (records.length === 0) return
        const sending = await new Promise<Sending>((resolve) => {
          const sent: Sending = {
            unacknowledged: records.length,
            acknowledged: 0,
            refusal: null,
            doubt: null,
            settle: () => resolve(sent),
          }
          void Promise.resolve(enqueue(records, sent, (error) => note(sent, error))).then((entered) => {
            // Records that never entered the buffer have no delivery report to wait for.
            sent.unacknowledged -= records.length - entered
            if (sent.unacknowledged === 0) sent.settle()
          })
        })
        const error = sending.doubt ?? sending.refusal
        if (error === null) return
        const doing = `Sending ${records.length} records`
        if (sending.doubt === null && sending.acknowledged === 0) throw effectError(doing, error)
        throw new DependencyError(
          'kafka',
          'outcome_unknown',
          `${doing} failed in part: ${error.message}`,
          error,
        )
      }),
    async close() {
      if (calls.closed) return
      await calls.close()
      await new Promise<void>((resolve) => producer.disconnect(options.deliveryTimeoutMs, resolve))
    },
  }
}

function acknowledge(sending: Sending, error: NativeError | null): void {
  if (error) note(sending, error)
  else sending.acknowledged++
  sending.unacknowledged--
  if (sending.unacknowledged === 0) sending.settle()
}

/** A refusal says that this record was not taken; anything else leaves it open. */
function note(sending: Sending, error: NativeError): void {
  if (permanentCode(error.code) === null) sending.doubt = error
  else sending.refusal = error
}
