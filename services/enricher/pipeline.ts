import { encodeDedupeRecord } from '../../schemas/dedupe/v1.ts'
import type { GroupConsumer, ProduceRecord, RecordBatch, TransactionalProducer } from '../core/kafka/log.ts'
import { DependencyError, isDependencyError } from '../core/runtime/errors.ts'
import { type PartitionWorker, REST_MAX_MS } from '../core/stream/partition-worker.ts'
import { runPartitions } from '../core/stream/run-partitions.ts'
import { createDedupeWindow, type DedupeWindow } from './dedupe/dedupe-window.ts'
import type { Environment } from './environment.ts'
import { dedupeFromOf, writePositionMetadata } from './position-metadata.ts'
import { createRecordQueue } from './record-queue.ts'
import { noteCheckpoint, type TakenOver, takeOver } from './takeover.ts'
import { createSilence, type Silence, tickRecord } from './tick.ts'
import { transactionContent } from './transaction-content.ts'

/** A batch that ended its process so often is gone through in parts; a record that did, alone, is set aside. */
const BATCH_ATTEMPTS_MAX = 2
/** How much smaller a part is than what ended its process last. */
const PARTS = 8
const ALONE_ATTEMPTS_MAX = 5
/** Ends after it was judged count apart: most of them come from outside, and only so many are taken for its doing. */
const JUDGED_ATTEMPTS_MAX = 12
/**
 * A record alone at which an owner ended before waits up to so long, ms. What really ends the process may be in another
 * partition: whoever dies beside it does not begin at the same moment each time.
 */
const SUSPECT_WAIT_MAX_MS = 1_000

/** Raw records that one poll brings at most; several polls share a transaction. */
const POLL_RECORDS_MAX = 2_000
const POLL_INTERVAL_MAX_MS = 300_000

/**
 * Runs the enricher over the raw partitions that its group gives this process.
 *
 * @returns resolves when `stopping` aborted and every partition has stopped
 * @throws what only our own mistakes throw
 */
export function runEnricher(env: Environment, stopping: AbortSignal): Promise<void> {
  const { log, names, limits, clock, logger } = env
  return runPartitions({
    log,
    group: {
      groupId: names.group('enricher'),
      clientId: 'millrace-enricher',
      topics: [names.raw],
      maxPollIntervalMs: POLL_INTERVAL_MAX_MS,
      pollRecordsMax: POLL_RECORDS_MAX,
      ...env.group,
    },
    createWorker: ({ partition }, consumer) => createEnricherWorker(env, partition, consumer),
    bounds: {
      queueRecordsMax: 2 * POLL_RECORDS_MAX + limits.batchRowsMax,
      queueBytesMax: 4 * limits.batchBytesMax,
    },
    stage: 'enricher',
    logger,
    metrics: env.registry,
    health: env.health,
    signal: stopping,
    clock,
    random: env.random,
  })
}

/**
 * The enricher's part in one raw partition: decode → validate → dedupe → enrich → write.
 *
 * One Kafka transaction per batch holds everything that the batch leads to: enriched and rejected events, the ids to
 * remember, a receipt, and the position in `events.raw`. So either all of it happened or nothing, and the position
 * alone says which. Nothing is remembered in memory before the commit is known to have happened: after any failure the
 * worker throws, is discarded with its producer and its window, and a new one takes over from what is committed.
 *
 * ```
 *  start ──▶ fence, read position, sentinel, rebuild window ──▶ gather ──▶ judge ──▶ commit ──▶ remember ─┐
 *                                                                ▲                                        │
 *                                                                └────────────────────────────────────────┘
 * ```
 */
export function createEnricherWorker(
  env: Environment,
  partition: number,
  consumer: GroupConsumer,
): PartitionWorker {
  const { log, names, limits, clock } = env
  const outputs = [names.enriched, names.rejected]
  const queue = createRecordQueue()
  let owned: Owned | null = null
  let producer: TransactionalProducer | null = null
  /** When the first record of the queue came, monotonic ms. */
  let waitingSince: number | null = null
  let window: DedupeWindow | null = null
  let warned = false
  const dedupeKey = { topic: names.dedupe, partition, key: String(partition) }

  async function start(): Promise<number> {
    try {
      requireControl()
      producer = await log.openTransactionalProducer(names.transactionalId('enricher', partition), {
        clientId: `millrace-enricher-${partition}`,
        transactionTimeoutMs: limits.transactionTimeoutMs,
      })
      window = createDedupeWindow(limits.dedupeWindowMs, env.idBudget)
      const taken = await takeOver({
        log,
        names,
        partition,
        consumer,
        producer,
        window,
        randomBytes: env.randomBytes,
        absolves: env.absolved.has(partition),
        clock,
        silenceMs: limits.takeoverSilenceMs,
      })
      env.absolved.delete(partition)
      // What the changelog's beginning holds beyond the window was forgotten by the owner before.
      window.takeForgotten()
      owned = {
        ...taken,
        window,
        begun: false,
        partRows: Math.max(1, Math.floor(taken.attempts.shortest / PARTS)),
        silence: createSilence(outputs, limits.tickMs, clock.monotonic()),
      }
      report(window)
      env.logger.info(
        { partition, next: taken.next, ids: window.ids, attempts: taken.attempts.batches },
        'Took over a raw partition.',
      )
      return taken.next
    } catch (error) {
      throw ended(error)
    }
  }
  async function process(batch: RecordBatch): Promise<void> {
    queue.push(batch)
    await env.failPoint('after_poll')
    waitingSince ??= clock.monotonic()
    while (queue.rows >= limits.batchRowsMax || queue.bytes >= limits.batchBytesMax) await flush()
    await flushIfWaited()
  }

  async function tick(): Promise<void> {
    await flushIfWaited()
    const { silence, window } = requireOwned()
    const due = silence.due(clock.monotonic())
    if (due.length === 0) return
    await transaction(due.map((topic) => tickRecord(topic, partition)))
    env.metrics.ticked(due.length)
    // Other partitions may have needed its ids meanwhile.
    report(window)
  }

  function tickInMs(): number {
    return waitingSince === null ? REST_MAX_MS : waitingSince + limits.lingerMs - clock.monotonic()
  }

  async function flushIfWaited(): Promise<void> {
    while (waitingSince !== null && clock.monotonic() - waitingSince >= limits.lingerMs && queue.rows > 0)
      await flush()
  }

  /** One transaction of what waits. */
  async function flush(): Promise<void> {
    const own = requireOwned()
    try {
      requireControl()
    } catch (error) {
      throw ended(error)
    }
    // A short range was itself a part, or is gone through soon.
    const { batches: tries, shortest, to } = own.attempts
    const careful = own.next <= to && (tries >= BATCH_ATTEMPTS_MAX || shortest < limits.batchRowsMax)
    const batches = queue.take(careful ? Math.min(own.partRows, limits.batchRowsMax) : limits.batchRowsMax)
    if (queue.rows === 0) waitingSince = null
    const last = batches.at(-1) as RecordBatch
    const range = { from: own.next, to: last.offset(last.length - 1) }
    if (range.to < range.from) return
    const { alone, judged } = own.attempts
    const isGuilty = alone >= ALONE_ATTEMPTS_MAX || judged >= JUDGED_ATTEMPTS_MAX
    const isSuspect = alone + judged > 0 && range.from === range.to && !isGuilty
    if (isSuspect) await clock.sleep(env.random() * SUSPECT_WAIT_MAX_MS)
    if (careful || !own.begun) {
      await transaction([attemptRecord(range)])
      own.begun = true
    }

    const startedMs = clock.monotonic()
    const { rules, reference } = env.current()
    const content = transactionContent(batches, {
      names,
      partition,
      from: own.next,
      rules,
      window: own.window,
      reference,
      limits,
      quarantined: isGuilty ? { offset: range.from, attempts: own.attempts.batches } : null,
    })
    // At no range: it came through judging.
    if (isSuspect) await transaction([attemptRecord({ from: range.to + 1, to: range.to })])
    await env.failPoint('after_judge')
    await refreshCheckpoint(own)
    await transaction(content.records, content.next)
    await env.failPoint('after_end')
    env.metrics.windowExceeded(own.window.add(content.entries))
    own.next = content.next
    own.attempts = { ...own.attempts, alone: 0, judged: 0 }
    // This part was innocent: a larger one may be too, and most ends are nobody's fault.
    own.partRows *= 2
    env.metrics.committed(content.receipt, content.rejections, (clock.monotonic() - startedMs) / 1000)
    report(own.window)
    if (content.rejections.has('quarantined'))
      env.logger.error(
        { partition, offset: range.from },
        'Set a record aside that ended the process again and again.',
      )
  }

  const attemptRecord = (range: { readonly from: number; readonly to: number }): ProduceRecord => ({
    ...dedupeKey,
    value: encodeDedupeRecord({ kind: 'attempt', ...range }),
  })

  /** Begin, send, commit; with ticks for outputs that would otherwise stay silent. */
  async function transaction(records: readonly ProduceRecord[], next?: number): Promise<void> {
    const { silence, window, checkpoints } = requireOwned()
    const open = producer as TransactionalProducer
    try {
      await open.begin()
      await open.send(records)
      await env.failPoint('after_send')
      if (next !== undefined) {
        await env.failPoint('before_offset')
        const windowBegin = window.appendTimeMax - limits.dedupeWindowMs - window.sliceMs
        const dedupeFrom = dedupeFromOf(checkpoints, windowBegin)
        const metadata = writePositionMetadata({ dedupeFrom, ids: window.ids })
        await open.sendOffset(consumer, { topic: names.raw, partition, offset: next }, metadata)
      }
      await env.failPoint('before_end')
      await open.commit()
    } catch (error) {
      throw ended(error)
    }
    silence.wrote(new Set(records.map(({ topic }) => topic)), clock.monotonic())
  }

  /** Learns where the changelog stands whenever the window enters a new slice. */
  async function refreshCheckpoint({ checkpoints, window }: Owned): Promise<void> {
    const last = checkpoints.at(-1)
    if (last && Math.floor(window.appendTimeMax / window.sliceMs) <= Math.floor(last.time / window.sliceMs))
      return
    try {
      const range = (await log.admin.offsetRanges(names.dedupe, 'read_committed'))[partition]
      if (range)
        noteCheckpoint(checkpoints, { time: window.appendTimeMax, offset: range.end }, window.sliceMs)
    } catch (error) {
      throw ended(error)
    }
  }

  /** A configuration that may be out of date decides nothing. */
  function requireControl(): void {
    const problem = env.control.problem()
    if (problem !== null) throw new DependencyError('control', 'unavailable', problem)
  }

  function report(window: DedupeWindow): void {
    const heldMs = window.heldMs()
    if (heldMs < limits.dedupeWindowMs && !warned) {
      warned = true
      env.logger.warn(
        { partition, ids: window.ids, heldMs },
        'The dedupe window is shorter than set: the ids of this process are used up. Raise MILLRACE_ENRICHER_DEDUPE_IDS_MAX or add processes.',
      )
    }
    env.metrics.dedupe(partition, window.ids, window.bytes, heldMs)
    env.metrics.forgotten(window.takeForgotten())
  }

  /** Marks this worker's end as no crash, if it is none. */
  function ended(error: unknown): unknown {
    if (isDependencyError(error)) {
      env.absolved.add(partition)
      env.metrics.failed()
    }
    return error
  }

  function requireOwned(): Owned {
    if (!owned) throw new Error(`Partition ${partition} was not taken over.`)
    return owned
  }

  /**
   * What waits is dropped: no transaction of it has begun, and the next owner reads it again. Disconnecting leaves an
   * open transaction to that owner's fencing, which settles it also when nobody here knows its outcome.
   */
  async function stop(): Promise<void> {
    window?.close()
    window = null
    owned = null
    env.metrics.released(partition)
    await producer?.close()
    producer = null
  }

  return { start, process, tick, tickInMs, stop }
}

interface Owned extends Omit<TakenOver, 'attempts' | 'next'> {
  next: number
  attempts: TakenOver['attempts']
  /** This owner has written down that it began its first batch. */
  begun: boolean
  /** Rows of the next part of a batch that is gone through in parts. */
  partRows: number
  readonly window: DedupeWindow
  readonly silence: Silence
}
