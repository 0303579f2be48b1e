import { decodeDedupeRecord, encodeDedupeRecord, MARK_BYTES } from '../../schemas/dedupe/v1.ts'
import type { GroupConsumer, Log, TransactionalProducer } from '../core/kafka/log.ts'
import type { KafkaNames } from '../core/kafka/topics.ts'
import type { Clock } from '../core/runtime/clock.ts'
import { DependencyError } from '../core/runtime/errors.ts'
import type { DedupeWindow } from './dedupe/dedupe-window.ts'
import { type Checkpoint, readPositionMetadata } from './position-metadata.ts'

export interface TakeoverOptions {
  readonly log: Log
  readonly names: KafkaNames
  readonly partition: number
  readonly consumer: GroupConsumer
  readonly producer: TransactionalProducer
  /** Empty; filled from the changelog. */
  readonly window: DedupeWindow
  readonly randomBytes: (size: number) => Buffer
  readonly clock: Clock
  /** The owner before this one was of this process and ended by an error of Kafka's: its attempts were no crashes. */
  readonly absolves: boolean
  /** Longest silence of the changelog while it is read, ms. */
  readonly silenceMs: number
}

export interface TakenOver {
  /** Raw offset to consume from. */
  readonly next: number
  readonly attempts: Attempts
  /** Where in the changelog which time begins, oldest first. */
  readonly checkpoints: Checkpoint[]
}

/** Owners that began something at `next` and ended without finishing it. */
export interface Attempts {
  /** Of whatever range. */
  readonly batches: number
  /** Of the record at `next` alone, ended before it was judged. */
  readonly alone: number
  /** Of the record at `next` alone, ended after it was judged: by whatever came next, or from outside. */
  readonly judged: number
  /** Offsets of the shortest range. */
  readonly shortest: number
  /** Last raw offset of the longest range. */
  readonly to: number
}

const NO_ATTEMPTS: Attempts = {
  batches: 0,
  alone: 0,
  judged: 0,
  shortest: Number.POSITIVE_INFINITY,
  to: -1,
}

/**
 * What a new owner of a raw partition does after its producer has fenced the one before:
 *
 * 1. reads the group's stable committed offset: the coordinator answers when no transaction is open any more;
 * 2. commits a sentinel into the changelog. Whatever stands before it is all that earlier owners ever committed;
 * 3. rebuilds the window from the changelog up to that sentinel.
 *
 * The changelog and the committed offset were written in the same transactions, so they must agree; where the group's
 * offset has expired, the changelog alone says where to go on.
 *
 * @throws DependencyError `corrupt` when records that were never processed are gone, or when offset and changelog
 * contradict each other: going on would lose or double events without a word
 */
export async function takeOver(options: TakeoverOptions): Promise<TakenOver> {
  const { log, names, partition, consumer, producer, window, clock } = options
  const raw = { topic: names.raw, partition }
  const [committed] = await consumer.committed([raw])
  const { dedupeFrom, ids } = readPositionMetadata(committed?.metadata ?? '')
  window.reserve(ids)

  const mark = options.randomBytes(MARK_BYTES)
  const start = committed?.offset ?? null
  await producer.begin()
  await producer.send([
    {
      topic: names.dedupe,
      partition,
      key: String(partition),
      value: encodeDedupeRecord({ kind: 'sentinel', mark, absolves: options.absolves }),
    },
  ])
  await producer.commit()

  const first = (await log.admin.offsetRanges(names.dedupe, 'read_committed'))[partition]?.start ?? 0
  const reader = await log.openReader([
    { topic: names.dedupe, partition, offset: Math.max(first, dedupeFrom) },
  ])
  let logged: number | null = null
  let attempts = NO_ATTEMPTS
  const checkpoints: Checkpoint[] = []
  try {
    let heardAt = clock.monotonic()
    for (let found = false; !found; ) {
      const batches = await reader.read(1_000)
      if (batches.length > 0) heardAt = clock.monotonic()
      else if (clock.monotonic() - heardAt > options.silenceMs)
        throw new DependencyError(
          'kafka',
          'timeout',
          `${names.dedupe}/${partition} does not show the sentinel.`,
        )
      for (const batch of batches) {
        for (let index = 0; index < batch.length && !found; index++) {
          const record = decodeDedupeRecord(batch.value(index))
          if (record.kind === 'entries') {
            noteCheckpoint(
              checkpoints,
              { time: window.appendTimeMax, offset: batch.offset(index) },
              window.sliceMs,
            )
            window.add(record.entries)
            window.advance(record.appendTimeMax)
            logged = record.nextOffset
            attempts = NO_ATTEMPTS
          } else if (record.kind === 'attempt') attempts = withAttempt(attempts, record.from, record.to)
          else {
            if (record.absolves) attempts = NO_ATTEMPTS
            found = record.mark.equals(mark)
          }
        }
      }
    }
  } finally {
    await reader.close()
  }
  const next = await startOffset(log, names.raw, partition, start, logged)
  return { next, attempts, checkpoints }
}

function withAttempt(attempts: Attempts, from: number, last: number): Attempts {
  const { batches, alone, judged, shortest, to } = attempts
  // No range: the attempt before it came through judging.
  if (from > last) return { ...attempts, alone: alone - 1, judged: judged + 1 }
  return {
    ...attempts,
    batches: batches + 1,
    alone: alone + (from === last ? 1 : 0),
    shortest: Math.min(shortest, last - from + 1),
    to: Math.max(to, last),
  }
}

/** Keeps one checkpoint per slice of the window: the first record whose time lies in it. */
export function noteCheckpoint(checkpoints: Checkpoint[], checkpoint: Checkpoint, sliceMs: number): void {
  const last = checkpoints.at(-1)
  if (!last || Math.floor(checkpoint.time / sliceMs) > Math.floor(last.time / sliceMs))
    checkpoints.push(checkpoint)
}

async function startOffset(
  log: Log,
  topic: string,
  partition: number,
  committed: number | null,
  logged: number | null,
): Promise<number> {
  const corrupt = (what: string) => new DependencyError('kafka', 'corrupt', `${topic}/${partition}: ${what}`)
  const range = (await log.admin.offsetRanges(topic, 'read_committed'))[partition]
  if (!range) throw corrupt('there is no such partition.')
  if (committed !== null && logged !== null && committed < logged)
    throw corrupt(
      `the group's offset ${committed} lies before ${logged}, up to which events are written. Was it set back by hand?`,
    )
  const next = committed ?? logged ?? range.start
  if (next < range.start)
    throw corrupt(
      `records ${next} to ${range.start - 1} were removed before they were processed. Set the group's offset to ${range.start} to go on without them.`,
    )
  if (next > range.end)
    throw corrupt(
      `it ends at ${range.end}, before the group's offset ${next}. The topic was replaced or lost its end.`,
    )
  return next
}
