import type { ProduceRecord, Producer } from '../../core/kafka/log.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { DependencyError, isDependencyError } from '../../core/runtime/errors.ts'
import type { Logger } from '../../core/runtime/logger.ts'
import type { KafkaWatch } from '../kafka-watch.ts'
import { type KeptIn, type RecordKeeper, tookNothing } from '../record-keeper.ts'
import type { SegmentLog, StoredBatch } from './segment-log.ts'

export interface StoringEnvironment {
  readonly producer: Pick<Producer, 'produce'>
  readonly log: SegmentLog
  readonly watch: Pick<KafkaWatch, 'note' | 'problem'>
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly logger: Logger
}

export interface StoringOptions {
  /** How long Kafka may take before records go to the store, ms. */
  readonly patienceMs: number
  /** Bytes that are read from the store and sent to Kafka at a time. */
  readonly drainBytes: number
}

export interface StoringKeeper extends RecordKeeper {
  /** Null when records are kept, be it in the store; else one sentence. */
  problem(): string | null
  /** Stops draining and closes the store; what is in it stays for the next process. No call may be under way. */
  close(): Promise<void>
}

/** A call whose records are on their way to Kafka. */
interface UnderWay {
  readonly records: readonly ProduceRecord[]
  readonly sinceMs: number
  /** Each is null until it is known to have failed. */
  kafka: unknown
  store: unknown
  readonly resolve: (kept: KeptIn) => void
  readonly reject: (error: unknown) => void
  isSettled: boolean
}

/** Pauses between two tries to send what is stored, ms. */
const RETRY_FIRST_MS = 200
const RETRY_MAX_MS = 5_000
/** How long is waited for a sync under way, ms. */
const SYNC_WAIT_MS = 2

/**
 * Keeps records in Kafka, and in the store while Kafka is away or slow.
 *
 * ```
 *            a send failed, or took longer than the patience:
 *            all that is under way is stored, oldest first
 *   direct ──────────────────────────────────────────▶ storing ◀── found a store with records in it
 *     ▲                                                │     ▲
 *     │ the store is empty:                            │     │ a send failed: the waiting are stored
 *     │ the waiting are sent      one batch is left:   ▼     │
 *     └──────────────────────────────────────────── handing over
 *                                                  new calls wait
 * ```
 *
 * Order: what is under way at a change to `storing` is stored before anything that comes later, so the records of a
 * key lie in the store in the order of their calls. Such a record may reach Kafka twice, once by its first send. The
 * ids and bytes are the same, so the second is removed as a duplicate and the first is in its place. Among calls that
 * were under way at the same time no order is promised: of two such sends the second may reach Kafka alone.
 */
export function createStoringKeeper(env: StoringEnvironment, options: StoringOptions): StoringKeeper {
  const { producer, log, watch, clock, logger } = env
  const stop = new AbortController()
  const underWay = new Set<UnderWay>()
  let state: 'direct' | 'storing' | 'handing over' = 'direct'
  let draining: Promise<void> = Promise.resolve()
  /** Opens at the end of a handing over. */
  let gate = Promise.withResolvers<void>()
  let isWatching = false

  function send(records: readonly ProduceRecord[]): Promise<KeptIn> {
    return new Promise((resolve, reject) => {
      const call: UnderWay = {
        records,
        sinceMs: clock.monotonic(),
        kafka: null,
        store: null,
        resolve,
        reject,
        isSettled: false,
      }
      underWay.add(call)
      void patience()
      producer.produce(records).then(
        () => {
          if (state === 'direct') watch.note(null)
          settle(call, 'kafka')
        },
        (error: unknown) => {
          if (!isDependencyError(error)) return fail(call, error)
          watch.note(error)
          call.kafka = error
          // A record that Kafka refuses would be refused from the store, too, and for ever.
          if (state === 'direct' && tookNothing(error)) fail(call, error)
          else if (state === 'direct') startStoring(error)
          else if (call.store !== null) failBoth(call)
        },
      )
    })
  }

  /** One timer for all calls: looks after the oldest. */
  async function patience(): Promise<void> {
    if (isWatching) return
    isWatching = true
    for (;;) {
      const [oldest] = underWay
      if (oldest === undefined || state !== 'direct') break
      const left = oldest.sinceMs + options.patienceMs - clock.monotonic()
      if (left <= 0) {
        const error = new DependencyError(
          'kafka',
          'timeout',
          `Kafka did not acknowledge within ${options.patienceMs} ms.`,
        )
        watch.note(error)
        startStoring(error)
        break
      }
      await clock.sleep(left, stop.signal)
      if (stop.signal.aborted) break
    }
    isWatching = false
  }

  function settle(call: UnderWay, kept: KeptIn): void {
    underWay.delete(call)
    if (call.isSettled) return
    call.isSettled = true
    call.resolve(kept)
  }
  function fail(call: UnderWay, error: unknown): void {
    underWay.delete(call)
    if (call.isSettled) return
    call.isSettled = true
    call.reject(error)
  }

  function failBoth(call: UnderWay): void {
    const { kafka, store } = call
    const nothing = tookNothing(kafka) && tookNothing(store)
    fail(
      call,
      nothing
        ? store
        : new DependencyError(
            'kafka',
            'outcome_unknown',
            'Neither Kafka nor the store is known to have it.',
            kafka,
          ),
    )
  }

  function startStoring(why: DependencyError): void {
    state = 'storing'
    logger.warn({ err: why, calls: underWay.size }, 'Kafka is away or slow; records are kept in the store.')
    for (const call of underWay) void storeUnderWay(call)
    draining = draining.then(drain)
  }

  /** Whichever is first answers. */
  async function storeUnderWay(call: UnderWay): Promise<void> {
    try {
      await log.append(call.records)
      settle(call, 'store')
    } catch (error) {
      if (!isDependencyError(error)) throw error
      call.store = error
      if (call.kafka !== null) failBoth(call)
    }
  }

  /** Sends what is stored, in order, one batch at a time; ends when the state is `direct`, or with the process. */
  async function drain(): Promise<void> {
    let pauseMs = RETRY_FIRST_MS
    while (!stop.signal.aborted) {
      try {
        const batch = await log.read(options.drainBytes)
        if (batch !== null) {
          await sendBatch(batch)
          pauseMs = RETRY_FIRST_MS
        }
        // Nothing may come between this look and the change of state.
        else if (log.pendingBytes === 0 && watch.problem() === null) return await goDirect()
        // What is left is being synced; or nothing was stored at all, and Kafka is still away.
        else await clock.sleep(log.pendingBytes > 0 ? SYNC_WAIT_MS : RETRY_FIRST_MS, stop.signal)
      } catch (error) {
        if (!isDependencyError(error)) throw error
        if (error.dependency === 'kafka') watch.note(error)
        report(error)
        if (state === 'handing over') endHandingOver('storing')
        await clock.sleep(pauseMs * (0.5 + env.random() / 2), stop.signal)
        pauseMs = Math.min(RETRY_MAX_MS, pauseMs * 2)
      }
    }
  }

  async function sendBatch(batch: StoredBatch): Promise<void> {
    const startedMs = clock.monotonic()
    if (batch.records.length > 0) await producer.produce(batch.records)
    watch.note(null)
    await log.acknowledge(batch)
    const isQuick = clock.monotonic() - startedMs < options.patienceMs / 2
    if (state === 'storing' && isQuick && log.pendingBytes <= options.drainBytes) startHandingOver()
  }

  /** For no longer than calls would wait for Kafka itself. */
  function startHandingOver(): void {
    state = 'handing over'
    const { promise } = gate
    void clock.sleep(options.patienceMs, stop.signal).then(() => {
      if (state === 'handing over' && gate.promise === promise) endHandingOver('storing')
    })
  }

  function endHandingOver(next: 'direct' | 'storing'): void {
    state = next
    const opened = gate
    gate = Promise.withResolvers()
    opened.resolve()
  }

  async function goDirect(): Promise<void> {
    logger.info('The store is empty; records go to Kafka again.')
    endHandingOver('direct')
    await log.clear()
  }

  function report(error: DependencyError): void {
    const meta = { err: error, bytes: log.pendingBytes }
    if (tookNothing(error))
      logger.error(meta, 'Kafka refuses what the store holds; nothing is dropped, it is tried again.')
    else logger.warn(meta, 'What the store holds was not sent; it is tried again.')
  }

  if (log.pendingBytes > 0) {
    state = 'storing'
    logger.info(
      { bytes: log.pendingBytes },
      'The store holds records of an earlier process; they are sent first.',
    )
    draining = drain()
  }
  return {
    async keep(records) {
      while (state === 'handing over') await gate.promise
      if (state === 'direct') return send(records)
      await log.append(records)
      return 'store'
    },
    problem: () => (state === 'direct' ? watch.problem() : log.problem()),
    async close() {
      stop.abort()
      await draining
      await log.close()
    },
  }
}
