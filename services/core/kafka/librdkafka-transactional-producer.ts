import { DependencyError, isDependencyError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { KafkaSettings } from './kafka-settings.ts'
import { connect, type NativeConsumer, nativeCalls, newProducer } from './librdkafka-client.ts'
import { createEnqueue } from './librdkafka-enqueue.ts'
import { effectError, isFenced, type NativeError, queryError } from './librdkafka-errors.ts'
import { checkMetadata, nativeMetadata } from './librdkafka-metadata.ts'
import { producerConfig } from './librdkafka-producer.ts'
import type { GroupConsumer, TransactionalOptions, TransactionalProducer } from './log.ts'

/** Runs `use` with a consumer's native client, which stays open meanwhile. */
export type WithNativeConsumer = <T>(
  consumer: GroupConsumer,
  use: (native: NativeConsumer) => Promise<T>,
) => Promise<T>

/**
 * A transactional producer on librdkafka. No delivery reports: committing flushes, and a record that failed fails
 * the transaction.
 *
 * The client cannot tell a commit that the coordinator carried out after giving up on the answer from one that it
 * never got, hence `outcome_unknown` for every failure that is not plainly a refusal.
 */
export async function openLibrdkafkaTransactionalProducer(
  settings: KafkaSettings,
  transactionalId: string,
  options: TransactionalOptions,
  withNative: WithNativeConsumer,
  logger: Logger,
): Promise<TransactionalProducer> {
  const calls = nativeCalls('transactional producer')
  let fatal: NativeError | null = null
  const producer = newProducer({
    ...producerConfig(settings, options.clientId),
    'transactional.id': transactionalId,
    'transaction.timeout.ms': options.transactionTimeoutMs,
    // The client insists that a request gives up before the transaction does.
    'socket.timeout.ms': Math.min(settings.kafkaRequestTimeoutMs, options.transactionTimeoutMs),
    'linger.ms': 5,
  })
  await connect(producer, settings, logger, (error) => {
    fatal = error
  })
  const timeoutMs = Math.max(settings.kafkaRequestTimeoutMs, options.transactionTimeoutMs)
  const disconnect = () => new Promise<void>((resolve) => producer.disconnect(1, resolve))
  try {
    await calls.run<void>((done) => producer.initTransactions(timeoutMs, (error) => done(error, undefined)))
  } catch (error) {
    await disconnect()
    throw queryError(`Taking over the transactional id ${transactionalId}`, error)
  }
  producer.setPollInBackground(true)
  const enqueue = createEnqueue(producer)

  function failure(doing: string, cause: unknown): DependencyError {
    if (isDependencyError(cause)) return cause
    const error = cause as NativeError
    // Once fenced, the client answers everything with its fatal state instead of the reason.
    if (isFenced(error) || (fatal !== null && isFenced(fatal)))
      return new DependencyError(
        'kafka',
        'fenced',
        `${doing}: a newer producer of ${transactionalId} took over.`,
        error,
      )
    return effectError(doing, error)
  }
  async function step(
    doing: string,
    start: (done: (error: NativeError | null) => void) => void,
  ): Promise<void> {
    try {
      await calls.run<void>((done) => start((error) => done(error, undefined)))
    } catch (error) {
      throw failure(doing, error)
    }
  }

  /** Why a record of the open transaction was not taken; committing without it would lose it. */
  let refusal: NativeError | null = null

  return {
    begin() {
      refusal = null
      return step('Beginning a transaction', (done) => producer.beginTransaction(done))
    },
    send: (records) =>
      calls.hold(async () => {
        await enqueue(records, undefined, (error) => {
          refusal ??= error
        })
      }),
    async sendOffset(consumer, position, metadata) {
      checkMetadata(metadata)
      // The client takes the group's generation as it is by now, so a member that lost this partition but not its
      // membership would pass for its owner: the assignment is checked here, the fence by transactional id decides.
      if (!consumer.assigned(position))
        throw new DependencyError(
          'kafka',
          'not_assigned',
          `${position.topic}/${position.partition} is not assigned to this process any more.`,
        )
      await withNative(consumer, (native) =>
        step('Adding the group’s position to the transaction', (done) =>
          producer.sendOffsetsToTransaction(
            [
              {
                topic: position.topic,
                partition: position.partition,
                offset: position.offset,
                ...nativeMetadata(metadata),
              },
            ],
            native,
            timeoutMs,
            done,
          ),
        ),
      )
    },
    async commit() {
      if (refusal !== null) throw failure('Sending records of the transaction', refusal)
      await step('Committing a transaction', (done) => producer.commitTransaction(timeoutMs, done))
    },
    abort: () => step('Aborting a transaction', (done) => producer.abortTransaction(timeoutMs, done)),
    async close() {
      if (calls.closed) return
      await calls.close()
      await disconnect()
    },
  }
}
