import type { ProduceRecord } from '../../core/kafka/log.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { DependencyError, isDependencyError } from '../../core/runtime/errors.ts'
import type { Logger } from '../../core/runtime/logger.ts'
import { POSITION_FILE, recoverSegments, SET_ASIDE } from './recover-segments.ts'
import { type Segment, type StorePosition, segmentName } from './segment.ts'
import { createSegmentAppender } from './segment-appender.ts'
import { frameRecord, MARKER_BYTES, scanRecords } from './segment-format.ts'
import type { StoreDisk } from './store-disk.ts'
import type { StoreMetrics } from './store-metrics.ts'
import { decodeStoredRecord, encodeStoredRecord } from './stored-record.ts'

export interface SegmentLogOptions {
  readonly topic: string
  /** Bytes of records that Kafka has not acknowledged, at most. */
  readonly bytesMax: number
  /** Nothing more is taken while the oldest segment is older. */
  readonly ageMaxMs: number
  readonly segmentBytes: number
  readonly groupBytesMax: number
}

export interface StoreEnvironment {
  readonly disk: StoreDisk
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: StoreMetrics
  readonly randomFill: (bytes: Uint8Array) => void
}

export interface StoredBatch {
  /** In the order they were appended; none where only damage was read. */
  readonly records: readonly ProduceRecord[]
  /** Where reading goes on once they are acknowledged. */
  readonly next: StorePosition
}

/** Records that wait for Kafka on disk, first in, first out. One reader: read, acknowledge, read. */
export interface SegmentLog {
  /**
   * Resolves when all of them are synced. Rejects with a DependencyError('disk', …): `overloaded` when the store is
   * full and `read_only` when the disk takes nothing, where none was taken; else `outcome_unknown`.
   */
  append(records: readonly ProduceRecord[]): Promise<void>
  /** What comes first and is synced; null when there is nothing. @throws DependencyError('disk', …) */
  read(bytesMax: number): Promise<StoredBatch | null>
  /** Kafka has them: they are not read again, also not by the next process as far as it is not cut off. */
  acknowledge(batch: StoredBatch): Promise<void>
  /** Bytes that are not acknowledged, also of what is still being synced. */
  readonly pendingBytes: number
  /** Why nothing is taken at the moment, one sentence; null when something is. */
  problem(): string | null
  /** While nothing is pending: gives the disk everything back. What is appended later begins a new segment. */
  clear(): Promise<void>
  close(): Promise<void>
}

/** How long the disk is left alone after it failed. */
const REST_MS = 1_000
/** How often a segment is tried that cannot be read, before the rest of it is given up. */
const READ_TRIES = 3

/** @throws DependencyError('disk', …) */
export async function openSegmentLog(env: StoreEnvironment, options: SegmentLogOptions): Promise<SegmentLog> {
  const { disk, clock, logger, metrics } = env
  const { topic } = options
  const recovered = await recoverSegments(disk, topic, logger, metrics)
  const segments = recovered.segments
  let position = recovered.position
  let failedReads = 0
  const marker = Buffer.alloc(MARKER_BYTES)
  env.randomFill(marker)

  const appender = createSegmentAppender(disk, {
    topic,
    marker,
    firstNumber: recovered.nextNumber,
    segmentBytes: options.segmentBytes,
    groupBytesMax: options.groupBytesMax,
    restMs: REST_MS,
    clock,
    onSegment(segment) {
      segments.push(segment)
      position ??= { segment: segment.number, offset: segment.start }
    },
    onFailure(segment, error) {
      metrics.failed()
      logger.error(
        { err: error, segment: segment && segmentName(segment.number) },
        'The store’s disk failed. What was being written is unknown to its senders; a new segment is begun.',
      )
      if (segment) void forgetUnanswered(segment)
    },
  })
  report()

  function syncedBytes(): number {
    let bytes = 0
    for (const { number, start, end } of segments)
      bytes += end - (number === position?.segment ? position.offset : start)
    return bytes
  }
  function report(): void {
    metrics.bytes(syncedBytes())
  }

  /**
   * A full disk gets room back, and nobody reads what was never answered. A segment without a record goes as a whole:
   * a disk that stays full would be asked for one more every time it is tried.
   */
  async function forgetUnanswered(segment: Segment): Promise<void> {
    const name = segmentName(segment.number)
    const isEmpty = segment.end === segment.start
    const at = isEmpty ? segments.indexOf(segment) : -1
    if (at >= 0) segments.splice(at, 1)
    if (segments.length === 0) position = null
    try {
      await (isEmpty ? disk.remove(name) : disk.truncate(name, segment.end))
    } catch (error) {
      // What is left is merely untidy.
      if (!isDependencyError(error)) throw error
    }
  }

  function full(bytes: number): string | null {
    if (syncedBytes() + appender.waitingBytes + bytes > options.bytesMax)
      return `The store is full: ${options.bytesMax} bytes wait for Kafka.`
    const oldest = segments[0]
    if (oldest && syncedBytes() > 0 && clock.now() - oldest.createdMs > options.ageMaxMs)
      return `The store takes no more: records wait for Kafka since ${new Date(oldest.createdMs).toISOString()}.`
    return null
  }

  /** Takes away what is acknowledged to its end and not written any more. */
  async function dropAcknowledged(): Promise<void> {
    for (;;) {
      const first = segments[0]
      if (!first || first === appender.active || position === null || position.offset < first.end) return
      await dropFirst(() => disk.remove(segmentName(first.number)))
    }
  }

  async function dropFirst(takeAway: () => Promise<void>): Promise<void> {
    segments.shift()
    const next = segments[0]
    position = next ? { segment: next.number, offset: next.start } : null
    try {
      await takeAway()
    } catch (error) {
      if (!isDependencyError(error)) throw error
      logger.warn({ err: error }, 'A segment of the store cannot be taken away; the next start tries again.')
    }
  }

  async function readSegment(
    segment: Segment,
    offset: number,
    bytesMax: number,
  ): Promise<StoredBatch | null> {
    const name = segmentName(segment.number)
    for (let length = bytesMax; ; length *= 2) {
      const wanted = Math.min(length, segment.end - offset)
      const bytes = await disk.read(name, offset, wanted)
      // A file that became shorter than what was synced lost its end.
      const isEnd = offset + wanted >= segment.end || bytes.length < wanted
      const scan = scanRecords(bytes, 0, segment.marker, isEnd)
      const missing = isEnd ? segment.end - offset - bytes.length : 0
      if (scan.payloads.length === 0 && scan.next === 0 && !isEnd) continue
      if (scan.damagedBytes + missing > 0) {
        metrics.skipped('damaged', scan.damagedBytes + missing)
        logger.error(
          { segment: name, from: offset, to: offset + scan.next, bytes: scan.damagedBytes + missing },
          'The store is damaged: these bytes hold no whole record and are skipped.',
        )
      }
      return {
        records: scan.payloads.map((payload) => ({ topic, ...decodeStoredRecord(payload) })),
        next: { segment: segment.number, offset: offset + scan.next + missing },
      }
    }
  }

  async function setAside(segment: Segment, offset: number, error: DependencyError): Promise<void> {
    if (segment === appender.active) await appender.seal()
    const name = segmentName(segment.number)
    metrics.skipped('unreadable', segment.end - offset)
    logger.error(
      { err: error, segment: name, from: offset, bytes: segment.end - offset },
      'A segment of the store cannot be read; the rest of it is skipped, and the file set aside.',
    )
    await dropFirst(() => disk.rename(name, `${name}${SET_ASIDE}`))
  }

  return {
    async append(records) {
      const roughly = full(0)
      if (roughly !== null) throw new DependencyError('disk', 'overloaded', roughly)
      const frames = records.map((record) => frameRecord(marker, encodeStoredRecord(record)))
      const bytes = frames.reduce((sum, frame) => sum + frame.length, 0)
      const exactly = full(bytes)
      if (exactly !== null) throw new DependencyError('disk', 'overloaded', exactly)
      await appender.append(frames, bytes)
      metrics.stored(records.length)
      report()
    },
    async read(bytesMax) {
      for (;;) {
        await dropAcknowledged()
        const segment = segments[0]
        if (!segment || position === null || position.offset >= segment.end) return null
        const { offset } = position
        try {
          const batch = await readSegment(segment, offset, bytesMax)
          failedReads = 0
          return batch
        } catch (error) {
          if (!isDependencyError(error)) throw error
          if (++failedReads < READ_TRIES) throw error
          failedReads = 0
          await setAside(segment, offset, error)
        }
      }
    },
    async acknowledge({ records, next }) {
      position = next
      metrics.drained(records.length)
      const content = Buffer.from(JSON.stringify(next))
      try {
        await disk.replace(POSITION_FILE, content)
      } catch (error) {
        if (!isDependencyError(error)) throw error
        logger.warn(
          { err: error },
          'The store’s position was not written; a restart would send records again.',
        )
      }
      await dropAcknowledged()
      report()
    },
    get pendingBytes() {
      return syncedBytes() + appender.waitingBytes
    },
    problem: () => full(0) ?? appender.problem(),
    async clear() {
      await appender.seal()
      await dropAcknowledged()
      report()
    },
    async close() {
      await appender.seal()
      await dropAcknowledged()
      await disk.close()
    },
  }
}
