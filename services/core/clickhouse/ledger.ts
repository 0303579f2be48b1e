import type { TopicPartition } from '../kafka/log.ts'
import { DependencyError } from '../runtime/errors.ts'
import type { Plan, Progress } from '../stream/planned-plan.ts'
import type { Delivered } from '../stream/planned-sink.ts'
import type { ClickHouse } from './clickhouse.ts'

/** What became of the records of one batch: `records = inserted + skipped + rejected`. */
export interface BatchCounts {
  readonly records: number
  readonly inserted: number
  readonly skipped: number
  readonly rejected: number
}

const TABLE = 'batches'
const NUMBERS = { settings: { output_format_json_quote_64bit_integers: 0 } }

interface LedgerRow {
  readonly start: number
  readonly end: number
  readonly src: number
  readonly landed: number
}

/**
 * Writes down that a range is in its table, complete. A second row for the same range is harmless.
 *
 * @param queryId by which whoever takes over ends what may still run of it
 */
export async function recordBatch(
  clickhouse: Pick<ClickHouse, 'insert'>,
  { topic, partition }: TopicPartition,
  table: string,
  plan: Plan,
  counts: BatchCounts,
  queryId: string,
): Promise<void> {
  const row = {
    topic,
    topic_id: plan.topicId,
    partition,
    start: plan.start,
    end: plan.end,
    ...counts,
    src: plan.src,
    landed: plan.landed,
    digest: plan.digest,
    nonce: plan.nonce,
    table,
  }
  const body = Buffer.from(`${JSON.stringify(row)}\n`)
  await clickhouse.insert(TABLE, 'JSONEachRow', body, { async_insert: 0 }, { queryId })
}

/**
 * What the ledger says is delivered from a position on, for a partition of the topic that has this id: one that was
 * deleted and made again begins anew.
 *
 * @param from null when the group has no position: then the last row of all is where to go on
 * @throws DependencyError `corrupt` when ranges do not follow one another, or the range before `from` is not there
 */
export async function deliveredRanges(
  clickhouse: Pick<ClickHouse, 'query'>,
  { topic, partition }: TopicPartition,
  topicId: string,
  from: Progress | null,
): Promise<Delivered | null> {
  const rows = (condition: string, more: Record<string, number>, rest: string) =>
    clickhouse.query<LedgerRow>(
      `SELECT DISTINCT start, end, src, landed FROM ${TABLE}
       WHERE topic = {topic:String} AND partition = {partition:Int32} AND topic_id = {topicId:String} AND ${condition}
       ${rest}`,
      { topic, partition, topicId, ...more },
      NUMBERS,
    )
  if (from === null) {
    const [last] = await rows('1', {}, 'ORDER BY start DESC LIMIT 1')
    return last ? { firstEnd: last.end, progress: progressOf(last) } : null
  }
  const corrupt = (why: string) =>
    new DependencyError('clickhouse', 'corrupt', `The ledger of ${topic}[${partition}] ${why}`)
  if (from.carry !== '') {
    const [before] = await rows('start = {start:Int64}', { start: Number(from.carry) }, '')
    if (before?.end !== from.offset - 1)
      throw corrupt(
        `has no batch ${from.carry}–${from.offset - 1}, which the consumer group was told is delivered. Was the database emptied or restored from before? Delete the group's position, and the sink goes on from what the ledger has.`,
      )
  }
  const found = await rows('start >= {from:Int64}', { from: from.offset }, 'ORDER BY start')
  const [first] = found
  if (!first) return null
  let next = from.offset
  for (const row of found) {
    if (row.start !== next) throw corrupt(`goes on at ${row.start} where ${next} must follow.`)
    next = row.end + 1
  }
  return { firstEnd: first.end, progress: progressOf(found.at(-1) ?? first) }
}

/** Where a delivered range leaves off; the next batch is handed its start, to find it again. */
function progressOf({ start, end, src, landed }: LedgerRow): Progress {
  return { offset: end + 1, src, landed, carry: String(start) }
}

/** @returns the highest raw offset past `after` that the table has of this raw partition; -1 when it has none */
export async function highestSource(
  clickhouse: Pick<ClickHouse, 'query'>,
  table: string,
  partition: number,
  after: number,
): Promise<number> {
  const [found] = await clickhouse.query<{ highest: number; found: number }>(
    `SELECT max(src_offset) AS highest, toUInt32(count()) AS found FROM ${table}
     WHERE src_partition = {partition:Int64} AND src_offset > {after:Int64}`,
    { partition, after },
    { settings: { output_format_json_quote_64bit_integers: 0 } },
  )
  return found && found.found > 0 ? found.highest : -1
}
