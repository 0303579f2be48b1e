import { DependencyError } from '../../core/runtime/errors.ts'
import type { Logger } from '../../core/runtime/logger.ts'
import { type Segment, type StorePosition, segmentName, segmentNumber } from './segment.ts'
import { decodeHeader, HEADER_BYTES_MAX, isTornHeader, wholeRecordsEnd } from './segment-format.ts'
import type { StoreDisk, StoreFile } from './store-disk.ts'
import type { StoreMetrics } from './store-metrics.ts'

export const POSITION_FILE = 'position'
/** What a file is called from then on that cannot be read; nobody but the operator looks at it. */
export const SET_ASIDE = '.unreadable'

const POSITION_BYTES_MAX = 200

export interface RecoveredSegments {
  readonly segments: Segment[]
  /** Null when there is nothing to send. */
  readonly position: StorePosition | null
  /** Larger than every number that was ever used. */
  readonly nextNumber: number
}

/**
 * Finds what an earlier process left: segments from the position on, the last one cut where its whole records end.
 * The others were synced to their ends before the next was begun, so what is wrong in them is damage, and is found
 * when they are read.
 *
 * @throws DependencyError('disk', …); `rejected` when the store belongs to another topic
 */
export async function recoverSegments(
  disk: StoreDisk,
  topic: string,
  logger: Logger,
  metrics: StoreMetrics,
): Promise<RecoveredSegments> {
  const files = await disk.list()
  const position = await readPosition(disk, files)
  const found = files
    .flatMap((file) => ({ ...file, number: segmentNumber(file.name) }))
    .filter((file): file is StoreFile & { number: number } => file.number !== null)
    .sort((a, b) => a.number - b.number)
  const numbers = files.map(({ name }) => segmentNumber(name.replace(SET_ASIDE, '')) ?? 0)
  const nextNumber = Math.max(position?.segment ?? 0, ...numbers) + 1

  const segments: Segment[] = []
  for (const file of found) {
    if (position !== null && file.number < position.segment) {
      await disk.remove(file.name)
      continue
    }
    const isLast = file === found.at(-1)
    const segment = await openSegment(file, isLast)
    if (segment === null) continue
    segments.push(segment)
  }
  const first = segments[0]
  if (first === undefined) return { segments, position: null, nextNumber }
  const isInside =
    position?.segment === first.number && position.offset >= first.start && position.offset <= first.end
  const offset = isInside ? position.offset : first.start
  return { segments, position: { segment: first.number, offset }, nextNumber }

  async function openSegment({ name, bytes, number }: StoreFile & { number: number }, isLast: boolean) {
    const beginning = await disk.read(name, 0, HEADER_BYTES_MAX)
    const decoded = decodeHeader(beginning)
    if (decoded === null) {
      if (isLast && isTornHeader(await disk.read(name, 0, bytes))) {
        metrics.skipped('torn', bytes)
        logger.warn(
          { segment: name, bytes },
          'The last segment of the store was never synced; it is removed.',
        )
        await disk.remove(name)
      } else {
        metrics.skipped('unreadable', bytes)
        logger.error({ segment: name, bytes }, 'A segment of the store has no header; it is set aside.')
        await disk.rename(name, `${name}${SET_ASIDE}`)
      }
      return null
    }
    const { header, end: start } = decoded
    if (header.topic !== topic)
      throw new DependencyError(
        'disk',
        'rejected',
        `The store holds records of ${header.topic}, not of ${topic}. Let a collector of that topic drain it first.`,
      )
    const segment = { number, createdMs: header.createdMs, marker: header.marker, start, end: bytes }
    if (isLast) segment.end = await cutTornTail(segment)
    return segment
  }

  async function cutTornTail({ number, marker, start, end }: Segment): Promise<number> {
    const name = segmentName(number)
    const content = await disk.read(name, 0, end)
    const whole = wholeRecordsEnd(content, start, marker)
    // Whole records after the damage: not a tail. What it cost is found and told when it is read.
    if (whole === end || content.indexOf(marker, whole + 1) >= 0) return end
    metrics.skipped('torn', end - whole)
    logger.warn(
      { segment: name, bytes: end - whole },
      'The store ends in the middle of a write, which nobody was told of; its tail is cut.',
    )
    await disk.truncate(name, whole)
    return whole
  }
}

async function readPosition(disk: StoreDisk, files: readonly StoreFile[]): Promise<StorePosition | null> {
  if (!files.some((file) => file.name === POSITION_FILE)) return null
  try {
    const text = (await disk.read(POSITION_FILE, 0, POSITION_BYTES_MAX)).toString()
    const { segment, offset } = JSON.parse(text) as Record<string, unknown>
    if (!Number.isSafeInteger(segment) || !Number.isSafeInteger(offset)) return null
    return { segment: segment as number, offset: offset as number }
  } catch (error) {
    // Without it everything that is there is sent again, and removed downstream by its ids.
    if (error instanceof SyntaxError) return null
    throw error
  }
}
