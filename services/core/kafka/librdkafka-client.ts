import rdkafka from '@confluentinc/kafka-javascript'
import { DependencyError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import type { KafkaSettings } from './kafka-settings.ts'
import { type NativeError, queryError } from './librdkafka-errors.ts'
import type { TopicPartition } from './log.ts'

/**
 * The part of the native clients that is used here, with the members that their own typings leave out. Callbacks
 * run on the event loop; everything that takes one works on a thread of libuv's pool until then, so a process needs
 * a pool of more threads than it has consumers (`UV_THREADPOOL_SIZE`).
 */
interface NativeClient {
  connect(options: { allTopics: boolean; timeout: number }, done: (error: NativeError | null) => void): void
  on(event: string, listener: (...args: never[]) => void): void
}

export type NativePosition = TopicPartition & { offset: number; metadata?: string | null }

export interface NativeConsumer extends NativeClient {
  subscribe(topics: string[]): void
  unsubscribe(): void
  incrementalAssign(positions: NativePosition[]): void
  incrementalUnassign(partitions: TopicPartition[]): void
  assignmentLost(): boolean
  consume(count: number, done: (error: NativeError | null, messages: unknown) => void): void
  setDefaultConsumeTimeout(ms: number): void
  pause(partitions: TopicPartition[]): void
  committed(
    partitions: TopicPartition[],
    timeoutMs: number,
    done: (error: NativeError | null, answer: (NativePosition | Error)[]) => void,
  ): void
  commitCb(positions: NativePosition[], done: (error: NativeError | null) => void): void
  disconnect(done: () => void): void
}

export interface NativeProducer extends NativeClient {
  setPollInBackground(on: boolean): void
  produce(
    topic: string,
    partition: number,
    value: Uint8Array | null,
    key: Uint8Array | string | null,
    timestamp: number,
    opaque: unknown,
    headers: Record<string, string>[] | undefined,
  ): void
  initTransactions(timeoutMs: number, done: (error: NativeError | null) => void): void
  beginTransaction(done: (error: NativeError | null) => void): void
  sendOffsetsToTransaction(
    positions: NativePosition[],
    consumer: NativeConsumer,
    timeoutMs: number,
    done: (error: NativeError | null) => void,
  ): void
  commitTransaction(timeoutMs: number, done: (error: NativeError | null) => void): void
  abortTransaction(timeoutMs: number, done: (error: NativeError | null) => void): void
  flush(timeoutMs: number, done: (error: NativeError | null) => void): void
  disconnect(timeoutMs: number, done: () => void): void
}

export type NativeConfig = Record<string, string | number | boolean | ((...args: never[]) => void)>

/**
 * Without a second argument on purpose: with one, even an empty one, the binding ignores every topic property of
 * the first, among them `auto.offset.reset` and `message.timeout.ms`.
 */
export function newConsumer(config: NativeConfig): NativeConsumer {
  return new rdkafka.KafkaConsumer(config) as unknown as NativeConsumer
}

/** See {@link newConsumer}. */
export function newProducer(config: NativeConfig): NativeProducer {
  return new rdkafka.Producer(config) as unknown as NativeProducer
}

/** What every client of this process shares: where the brokers are and how to sign in. */
export function connectionConfig(settings: KafkaSettings, clientId: string): NativeConfig {
  const sasl = settings.kafkaSecurityProtocol.startsWith('sasl')
  return {
    'bootstrap.servers': settings.kafkaBrokers,
    'client.id': clientId,
    'security.protocol': settings.kafkaSecurityProtocol,
    ...(sasl && {
      'sasl.mechanisms': settings.kafkaSaslMechanism,
      'sasl.username': settings.kafkaUser ?? '',
      'sasl.password': settings.kafkaPassword ?? '',
    }),
    ...(settings.kafkaCaFile !== null && { 'ssl.ca.location': settings.kafkaCaFile }),
    'socket.timeout.ms': settings.kafkaRequestTimeoutMs,
    // The default of 10 s before the next try to connect would dominate every recovery.
    'reconnect.backoff.ms': 100,
    'reconnect.backoff.max.ms': 1_000,
    'message.max.bytes': settings.kafkaRecordBytesMax,
    'log.connection.close': false,
  }
}

/** Connects and passes the client's own messages on. @throws DependencyError `unavailable`, `timeout`, `denied` */
export async function connect(
  client: NativeClient,
  settings: KafkaSettings,
  logger: Logger,
  onFatal: (error: NativeError) => void = () => {},
): Promise<void> {
  let lastError: NativeError | null = null
  client.on('event.error', (error: NativeError) => {
    lastError = error
    // The client mends broken connections by itself: worth a line, nothing is lost.
    logger.warn({ code: error.code, detail: error.message }, 'The Kafka client reports a problem.')
    if (error.isFatal || error.code === FATAL) onFatal(error)
  })
  client.on('event.log', (log: { message: string }) =>
    logger.debug({ detail: log.message }, 'Kafka client log.'),
  )
  await new Promise<void>((resolve, reject) => {
    client.connect({ allTopics: false, timeout: settings.kafkaRequestTimeoutMs }, (error) =>
      error
        ? reject(queryError(`Connecting to Kafka at ${settings.kafkaBrokers}`, lastError ?? error))
        : resolve(),
    )
  })
}

const FATAL = rdkafka.CODES.ERRORS.ERR__FATAL

/**
 * Counts native calls under way: the binding frees its client while disconnecting, and a call still running on
 * another thread would touch freed memory.
 */
export interface NativeCalls {
  /** @throws DependencyError `unavailable` once closed */
  run<T>(start: (done: (error: NativeError | null, result: T) => void) => void): Promise<T>
  /** Holds closing up while `body` runs. */
  hold<T>(body: () => Promise<T>): Promise<T>
  readonly closed: boolean
  /** Refuses further calls, and resolves when the last one has come back. */
  close(): Promise<void>
}

export function nativeCalls(what: string): NativeCalls {
  let underWay = 0
  let closed = false
  let onIdle: (() => void) | null = null

  function begin(): void {
    if (closed) throw new DependencyError('kafka', 'unavailable', `The ${what} is closed.`)
    underWay++
  }
  function end(): void {
    underWay--
    if (underWay === 0) onIdle?.()
  }
  async function hold<T>(body: () => Promise<T>): Promise<T> {
    begin()
    try {
      return await body()
    } finally {
      end()
    }
  }
  return {
    hold,
    run: (start) =>
      hold(
        () =>
          new Promise((resolve, reject) =>
            start((error, result) => (error ? reject(error) : resolve(result))),
          ),
      ),
    get closed() {
      return closed
    },
    async close() {
      closed = true
      if (underWay > 0) await new Promise<void>((resolve) => (onIdle = resolve))
    },
  }
}
