import type { Clock } from '../../core/runtime/clock.ts'
import { DependencyError, isDependencyError } from '../../core/runtime/errors.ts'
import { type Segment, segmentName } from './segment.ts'
import { encodeHeader } from './segment-format.ts'
import type { StoreDisk, StoreFileWriter } from './store-disk.ts'

export interface AppenderOptions {
  readonly topic: string
  /** Marks the records of all segments that this process writes. */
  readonly marker: Buffer
  readonly firstNumber: number
  /** A segment that has grown past it is followed by the next. */
  readonly segmentBytes: number
  /** Bytes that are written and synced together at most; a single append may be larger. */
  readonly groupBytesMax: number
  /** How long nothing is tried after the disk failed. */
  readonly restMs: number
  readonly clock: Clock
  /** A new segment: its records follow those of all before. */
  readonly onSegment: (segment: Segment) => void
  /** A segment that the disk failed: nothing past its `end` may be believed. */
  readonly onFailure: (segment: Segment | null, error: DependencyError) => void
}

export interface SegmentAppender {
  /**
   * Appends framed records. Resolves when they are synced. Rejects with code `read_only` when nothing was written,
   * with `outcome_unknown` when nobody knows.
   */
  append(frames: readonly Uint8Array[], bytes: number): Promise<void>
  /** Bytes that wait for their sync. */
  readonly waitingBytes: number
  /** What is written at the moment; null when nothing was since the last seal. */
  readonly active: Segment | null
  /** Why the disk took nothing lately; null when it did. */
  problem(): string | null
  /** Ends the active segment after what waits already: what is appended next begins another. Never rejects. */
  seal(): Promise<void>
}

interface Waiting {
  /** Null asks for the end of the active segment. */
  readonly frames: readonly Uint8Array[] | null
  readonly bytes: number
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/** How many rests a failure makes the process unwell for. */
const UNWELL_RESTS = 5

/**
 * Writes segments. What is appended while a sync is under way is written and synced together after it, so that the
 * number of syncs follows the disk's speed and not the number of requests; nothing waits for a timer.
 *
 * A segment whose write or sync failed is never written again, and what waits behind it is refused. After a failed
 * sync the kernel may have dropped what it could not write, and the next sync of the same file would report success.
 */
export function createSegmentAppender(disk: StoreDisk, options: AppenderOptions): SegmentAppender {
  const { clock } = options
  const waiting: Waiting[] = []
  let waitingBytes = 0
  let isRunning = false
  let nextNumber = options.firstNumber
  let active: { readonly segment: Segment; readonly writer: StoreFileWriter } | null = null
  let failure: { readonly error: DependencyError; readonly atMs: number } | null = null

  async function run(): Promise<void> {
    if (isRunning) return
    isRunning = true
    while (waiting.length > 0) {
      const group = nextGroup()
      if (group.length > 0) await commit(group)
      else {
        await end()
        waiting.shift()?.resolve()
      }
    }
    isRunning = false
  }

  /** What is written and synced together; empty when the active segment is to be ended first. */
  function nextGroup(): readonly Waiting[] {
    let bytes = 0
    let count = 0
    for (const one of waiting) {
      if (one.frames === null) break
      if (count > 0 && bytes + one.bytes > options.groupBytesMax) break
      bytes += one.bytes
      count++
    }
    return waiting.splice(0, count)
  }

  async function commit(group: readonly Waiting[]): Promise<void> {
    const bytes = group.reduce((sum, one) => sum + one.bytes, 0)
    const error = await write(
      group.flatMap((one) => one.frames ?? []),
      bytes,
    )
    waitingBytes -= bytes
    for (const one of group) error === null ? one.resolve() : one.reject(error)
    if (failure !== null) refuseWaiting(failure.error)
  }

  /** Nothing of them was written, and whoever waits would wait again for a bad disk to fail. */
  function refuseWaiting(error: DependencyError): void {
    const refused = waiting.filter(({ frames }) => frames !== null)
    waiting.splice(0, waiting.length, ...waiting.filter(({ frames }) => frames === null))
    for (const { bytes, reject } of refused) {
      waitingBytes -= bytes
      reject(notWritten(error))
    }
  }

  /** Null when it is synced. */
  async function write(frames: readonly Uint8Array[], bytes: number): Promise<DependencyError | null> {
    let isBegun = false
    try {
      const { segment, writer } = active ?? (await begin())
      isBegun = true
      await writer.append(frames.length === 1 ? frames[0]! : Buffer.concat(frames, bytes))
      await writer.sync()
      segment.end += bytes
      failure = null
      if (segment.end >= options.segmentBytes) await end()
      return null
    } catch (error) {
      if (!isDependencyError(error)) throw error
      failure = { error, atMs: clock.monotonic() }
      const failed = active?.segment ?? null
      await end()
      options.onFailure(failed, error)
      return new DependencyError('disk', isBegun ? 'outcome_unknown' : 'read_only', error.message, error)
    }
  }

  async function begin() {
    const number = nextNumber++
    const createdMs = clock.now()
    const { topic, marker } = options
    const header = encodeHeader({ topic, createdMs, marker })
    const writer = await disk.create(segmentName(number))
    const segment = { number, createdMs, marker, start: header.length, end: header.length }
    active = { segment, writer }
    options.onSegment(segment)
    // Synced together with the first records: without them it says nothing.
    await writer.append(header)
    return active
  }

  async function end(): Promise<void> {
    const ended = active
    active = null
    await ended?.writer.close()
  }

  function problem(): string | null {
    // For a while only: whoever gets no traffic for being unwell would never find out that the disk is well again.
    if (failure === null || clock.monotonic() - failure.atMs > options.restMs * UNWELL_RESTS) return null
    return `The store's disk failed: ${failure.error.message}`
  }
  return {
    append(frames, bytes) {
      return new Promise((resolve, reject) => {
        if (failure !== null && clock.monotonic() - failure.atMs < options.restMs)
          return reject(notWritten(failure.error))
        waiting.push({ frames, bytes, resolve, reject })
        waitingBytes += bytes
        void run()
      })
    },
    get waitingBytes() {
      return waitingBytes
    },
    get active() {
      return active?.segment ?? null
    },
    problem,
    seal() {
      return new Promise((resolve, reject) => {
        waiting.push({ frames: null, bytes: 0, resolve, reject })
        void run()
      })
    },
  }
}

function notWritten(error: DependencyError): DependencyError {
  return new DependencyError('disk', 'read_only', error.message, error)
}
