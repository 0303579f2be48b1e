import { isUtf8 } from 'node:buffer'
import type { TopicPartition } from '../kafka/log.ts'
import type { ClickHouse } from './clickhouse.ts'

/** A record that became no row of its table. */
export interface UndecodableRecord {
  readonly offset: number
  readonly landedMs: number
  readonly reason: string
  readonly value: Buffer
}

export const UNDECODABLE_TABLE = 'undecodable_records'

/**
 * Keeps records that became no row, each once: those that are there already, by their offset, are left alone. The
 * caller has made sure that no earlier try still runs.
 */
export async function keepUndecodable(
  clickhouse: Pick<ClickHouse, 'insert' | 'query'>,
  { topic, partition }: TopicPartition,
  records: readonly UndecodableRecord[],
  queryId: string,
): Promise<void> {
  if (records.length === 0) return
  const sorted = [...records].sort((a, b) => a.offset - b.offset)
  const stored = await clickhouse.query<{ offset: number }>(
    `SELECT DISTINCT offset FROM ${UNDECODABLE_TABLE}
     WHERE topic = {topic:String} AND partition = {partition:Int32} AND offset >= {from:Int64} AND offset <= {to:Int64}`,
    { topic, partition, from: sorted[0]?.offset ?? 0, to: sorted.at(-1)?.offset ?? 0 },
    { settings: { output_format_json_quote_64bit_integers: 0 } },
  )
  const there = new Set(stored.map(({ offset }) => offset))
  const missing = sorted.filter(({ offset }) => !there.has(offset))
  if (missing.length === 0) return
  const lines = missing.map(({ offset, landedMs, reason, value }) => {
    const encoding = isUtf8(value) ? 'text' : 'base64'
    return `${JSON.stringify({
      topic,
      partition,
      offset,
      landed: new Date(landedMs).toISOString(),
      reason,
      encoding,
      value: value.toString(encoding === 'text' ? 'utf8' : 'base64'),
      value_bytes: value.length,
    })}\n`
  })
  await clickhouse.insert(
    UNDECODABLE_TABLE,
    'JSONEachRow',
    Buffer.from(lines.join('')),
    { async_insert: 0, insert_deduplicate: 0, date_time_input_format: 'best_effort' },
    { queryId },
  )
}
