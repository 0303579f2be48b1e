import type { Log, RecordBatch, TopicPartition } from '../kafka/log.ts'
import type { Clock } from '../runtime/clock.ts'
import { DependencyError } from '../runtime/errors.ts'
import { partitionName } from './planned-commit.ts'

/**
 * Reads the records of exactly [start, end] again, in order.
 *
 * @param idleMs give up when nothing came for this long although it must be there
 * @throws DependencyError `corrupt` when offsets of the range are no longer in the log or `end` was passed without
 *   being met; `timeout` when the broker did not hand them out in time
 */
export async function readRange(
  log: Pick<Log, 'openReader' | 'admin'>,
  partition: TopicPartition,
  start: number,
  end: number,
  idleMs: number,
  clock: Clock,
  each: (records: RecordBatch, index: number) => void,
  afterBatch: () => Promise<void>,
): Promise<void> {
  const corrupt = (why: string) =>
    new DependencyError(
      'kafka',
      'corrupt',
      `The planned range ${start}–${end} of ${partitionName(partition)} cannot be read again: ${why}.`,
    )
  const range = await partitionRange(log, partition)
  if (range.start > start) throw corrupt(`the log begins at ${range.start}`)
  if (range.end <= end) throw corrupt(`the log ends at ${range.end}`)
  const reader = await log.openReader([{ ...partition, offset: start }])
  try {
    let heardMs = clock.monotonic()
    for (;;) {
      const batches = await reader.read(Math.min(idleMs, 1000))
      if (batches.length > 0) heardMs = clock.monotonic()
      for (const records of batches) {
        for (let index = 0; index < records.length; index++) {
          const offset = records.offset(index)
          if (offset > end) throw corrupt(`offset ${end} is missing, ${offset} follows`)
          each(records, index)
          if (offset === end) return await afterBatch()
        }
        await afterBatch()
      }
      if (clock.monotonic() - heardMs >= idleMs)
        throw new DependencyError(
          'kafka',
          'timeout',
          `No records of ${partitionName(partition)} came for ${idleMs} ms while reading ${start}–${end} again.`,
        )
    }
  } finally {
    await reader.close()
  }
}

/** First and next offset of one partition, read_committed. */
export async function partitionRange(
  log: Pick<Log, 'admin'>,
  { topic, partition }: TopicPartition,
): Promise<{ readonly start: number; readonly end: number }> {
  const found = (await log.admin.offsetRanges(topic, 'read_committed')).find((r) => r.partition === partition)
  if (!found) throw new DependencyError('kafka', 'not_found', `${topic} has no partition ${partition}.`)
  return found
}
