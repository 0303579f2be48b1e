import type { GroupConsumer, RecordBatch, TopicPartition } from '../kafka/log.ts'
import type { Clock } from '../runtime/clock.ts'
import { type DependencyError, isDependencyError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import { DENIED, type RetryPolicy } from '../runtime/retry.ts'
import { type PartitionWorker, REST_MAX_MS, type StopReason } from './partition-worker.ts'

export interface LaneOptions {
  readonly partition: TopicPartition
  readonly consumer: GroupConsumer
  readonly createWorker: () => PartitionWorker
  /** @throws DependencyError when the partition does not hold that position */
  readonly checkPosition: (offset: number) => Promise<void>
  /** Bytes are this partition's share of what the process may queue, which changes with the assignment. */
  readonly bounds: { readonly queueRecordsMax: number; readonly queueBytesMax: () => number }
  /** What one poll can add to the queue. */
  readonly pollRecordsMax: number
  /** How long a fenced worker rests before it takes the partition back, if it is then still assigned here. */
  readonly fencedRestMs: number
  readonly restart: RetryPolicy
  readonly clock: Clock
  readonly random: () => number
  readonly logger: Logger
  readonly onCrash: (error: unknown) => void
  readonly onFailed: (error: DependencyError) => void
  /** Told when `denial` changed. */
  readonly onDenial: () => void
  readonly onRestart: () => void
  readonly onProgress: (lag: number, queued: number) => void
}

/** One assigned partition: its queue, its worker and the loop that drives it. */
export interface Lane {
  readonly partition: TopicPartition
  /** The first worker's start offset; null when it did not start, or nobody waits for it any more. */
  readonly started: Promise<number | null>
  /** The first worker may take its time: fetching of the partition stands still until it has started. */
  stopWaiting(): void
  /** Why the partition stopped for good, null while it has not. */
  readonly failure: DependencyError | null
  /** What it was denied lately and asks for again, null since it has worked. */
  readonly denial: DependencyError | null
  /** Queues a batch, or drops it when no worker waits for it: the next one seeks. Pauses the partition when full. */
  offer(batch: RecordBatch): void
  /** Makes the worker's loop ask whether the partition still holds what comes next, once its queue is empty. */
  doubtPosition(): void
  /** To be called between two polls: moves the partition to where a restarted worker wants it. */
  continueAtSeek(): Promise<void>
  /** Ends the worker after the call it is in; resolves when its `stop` has returned. */
  stop(reason: StopReason): Promise<void>
  /** Ends the loop without another call to the worker. */
  abandon(): void
}

/** A partition with records left and none coming for this long has its position checked, ms. */
const IDLE_DOUBT_MS = 30_000

/** Why a rest ended: a constant, as an error made for each costs more than the rest of a nudge. */
const NUDGED = 'nudged'

/** Two ways to reckon one age differ by a rounding: a tick that comes too early by that is not repeated at once, ms. */
const REST_MIN_MS = 1

export function openLane(options: LaneOptions): Lane {
  const { partition, consumer, clock, logger, bounds } = options
  const name = `${partition.topic}/${partition.partition}`
  const started = Promise.withResolvers<number | null>()
  const queue: RecordBatch[] = []
  let [queuedRecords, queuedBytes] = [0, 0]
  let accepting = false
  let full = false
  let seekTo: number | null = null
  let processedTo: number | null = null
  let failure: DependencyError | null = null
  let denial: DependencyError | null = null
  let doubtful = false
  let stopReason: StopReason | 'abandoned' | null = null
  /** Tries in a row without a processed batch. */
  let attempts = 0
  let first = true
  let wake = new AbortController()

  function nudge(): void {
    wake.abort(NUDGED)
  }
  async function rest(ms: number): Promise<void> {
    if (stopReason !== null) return
    wake = new AbortController()
    await clock.sleep(ms, wake.signal)
  }
  function clearQueue(): void {
    queue.length = 0
    queuedRecords = 0
    queuedBytes = 0
  }
  function report(): void {
    const end = consumer.endOffset(partition)
    const lag = end === null || processedTo === null ? 0 : Math.max(0, end - processedTo)
    options.onProgress(lag, queuedRecords)
  }

  /** Room is made for a whole poll before fetching goes on, so the bound on records holds strictly. */
  function fitFetching(): void {
    const over =
      queuedRecords + options.pollRecordsMax > bounds.queueRecordsMax || queuedBytes >= bounds.queueBytesMax()
    const low =
      queuedRecords <= (bounds.queueRecordsMax - options.pollRecordsMax) / 2 &&
      queuedBytes <= bounds.queueBytesMax() / 2
    if (!full && over) {
      full = true
      consumer.pause([partition])
    } else if (full && low) {
      full = false
      consumer.resume([partition])
    }
  }

  /** Hands the queue to a started worker until it throws or the lane is stopped. */
  async function drive(worker: PartitionWorker): Promise<void> {
    const tickDue = () => clock.monotonic() + Math.min(REST_MAX_MS, Math.max(REST_MIN_MS, worker.tickInMs()))
    let tickAt = tickDue()
    let busyAt = clock.monotonic()
    while (stopReason === null) {
      const batch = queue.shift()
      if (batch) {
        doubtful = false
        await worker.process(batch)
        queuedRecords -= batch.length
        queuedBytes -= batch.byteLength
        processedTo = batch.offset(batch.length - 1) + 1
        attempts = 0
        setDenial(null)
        busyAt = clock.monotonic()
        tickAt = Math.min(tickAt, tickDue())
        if (stopReason === null) fitFetching()
      } else if (doubtful || clock.monotonic() >= busyAt + IDLE_DOUBT_MS) {
        // The client tells of a position that is gone at best once, and not of which partition.
        doubtful = false
        busyAt = clock.monotonic()
        if (processedTo !== null && processedTo !== consumer.endOffset(partition))
          await options.checkPosition(processedTo)
      }
      if (stopReason === null && clock.monotonic() >= tickAt) {
        await worker.tick()
        setDenial(null)
        report()
        tickAt = tickDue()
      }
      if (queue.length === 0 && !doubtful) await rest(Math.max(0, tickAt - clock.monotonic()))
    }
  }

  async function takeOver(worker: PartitionWorker): Promise<void> {
    const offset = await worker.start()
    await options.checkPosition(offset)
    if (stopReason !== null) return
    processedTo = offset
    if (first) {
      first = false
      accepting = true
      started.resolve(offset)
    } else {
      seekTo = offset
    }
    await drive(worker)
  }

  /** No record reaches a worker that is not there: fetching stops and what was fetched is dropped. */
  function holdStill(): void {
    accepting = false
    seekTo = null
    full = false
    clearQueue()
    if (consumer.assigned(partition)) consumer.pause([partition])
    if (first) {
      first = false
      started.resolve(null)
    }
  }

  function setDenial(error: DependencyError | null): void {
    if (denial === error) return
    denial = error
    options.onDenial()
  }

  function nextDelayMs({ baseDelayMs, maxDelayMs }: RetryPolicy): number {
    attempts++
    const ceiling = Math.min(maxDelayMs, baseDelayMs * 2 ** Math.min(attempts - 1, 30))
    return Math.round(ceiling * options.random())
  }

  /** @returns how long to wait before the next try; null when there is none */
  function policy(error: DependencyError): number | null {
    if (error.retriable) {
      const delayMs = nextDelayMs(options.restart)
      logger.warn({ err: error, partition: name, delayMs }, 'A partition failed and will be started again.')
      return delayMs
    }
    if (error.code === 'denied') {
      setDenial(error)
      const delayMs = nextDelayMs(DENIED)
      logger.error(
        { err: error, partition: name, delayMs },
        'A partition is denied what it needs, and asks again; credentials or permissions must be mended.',
      )
      return delayMs
    }
    if (error.code === 'fenced' || error.code === 'not_assigned') {
      logger.info({ err: error, partition: name }, 'A partition was taken over by another process.')
      return options.fencedRestMs
    }
    failure = error
    logger.error({ err: error, partition: name }, 'A partition stopped; an operator must act.')
    options.onFailed(error)
    return null
  }

  async function stopWorker(worker: PartitionWorker, reason: StopReason): Promise<void> {
    try {
      await worker.stop(reason)
    } catch (error) {
      if (!isDependencyError(error)) throw error
      logger.warn(
        { err: error, partition: name },
        'A worker could not end cleanly; its work will be replayed.',
      )
    }
  }

  async function run(): Promise<void> {
    while (stopReason === null) {
      const worker = options.createWorker()
      try {
        await takeOver(worker)
        if (stopReason !== 'abandoned') await stopWorker(worker, stopReason ?? 'failed')
        return
      } catch (error) {
        if (!isDependencyError(error)) throw error
        if (stopReason === 'abandoned') return
        holdStill()
        await stopWorker(worker, 'failed')
        if (stopReason !== null) return
        const delayMs = policy(error)
        if (delayMs === null) return
        await rest(delayMs)
        if (stopReason === null) options.onRestart()
      }
    }
  }

  const done = run()
    .catch((error) => {
      stopReason = 'abandoned'
      options.onCrash(error)
    })
    .finally(() => {
      accepting = false
      clearQueue()
      started.resolve(null)
    })

  return {
    partition,
    started: started.promise,
    stopWaiting() {
      if (first) holdStill()
    },
    get failure() {
      return failure
    },
    get denial() {
      return denial
    },
    offer(batch) {
      if (!accepting || stopReason !== null) return
      queue.push(batch)
      queuedRecords += batch.length
      queuedBytes += batch.byteLength
      fitFetching()
      nudge()
    },
    doubtPosition() {
      doubtful = true
      nudge()
    },
    async continueAtSeek() {
      if (seekTo === null || stopReason !== null) return
      const offset = seekTo
      seekTo = null
      try {
        await consumer.seek({ ...partition, offset })
      } catch (error) {
        // Revoked meanwhile; the callback ends this lane.
        if (isDependencyError(error) && error.code === 'not_assigned') return
        throw error
      }
      accepting = true
      consumer.resume([partition])
    },
    async stop(reason) {
      stopReason ??= reason
      nudge()
      await done
    },
    abandon() {
      stopReason = 'abandoned'
      nudge()
    },
  }
}
