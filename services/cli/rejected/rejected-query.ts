import type { QueryParameters } from '../../core/clickhouse/clickhouse.ts'

export interface RejectedSelection {
  readonly dataset: string | null
  readonly code: string | null
  /** Epoch ms of collector_time, included. */
  readonly sinceMs: number | null
  readonly eventId: string | null
  readonly limit: number
}

/** A rejected event as ClickHouse gives it: the columns of `rejected_events`, times as ISO 8601. */
export interface RejectedRow {
  readonly collector_time: string
  readonly dataset_id: string
  readonly event_id: string
  readonly event: string | null
  readonly distinct_id: string | null
  readonly stage: string
  readonly code: string
  readonly details: readonly string[]
  readonly payload: string
  readonly payload_bytes: number
  readonly protocol: string
  readonly src_partition: number
  readonly src_offset: number
}

/** The newest rejected events first. Every value is bound. */
export function rejectedSql(selection: RejectedSelection): { sql: string; parameters: QueryParameters } {
  const conditions: string[] = ['1']
  const parameters: Record<string, string | number> = { limit: selection.limit }
  if (selection.dataset !== null) {
    conditions.push('dataset_id = {dataset:String}')
    parameters.dataset = selection.dataset
  }
  if (selection.code !== null) {
    conditions.push('code = {code:String}')
    parameters.code = selection.code
  }
  if (selection.sinceMs !== null) {
    conditions.push("collector_time >= fromUnixTimestamp64Milli({since:Int64}, 'UTC')")
    parameters.since = selection.sinceMs
  }
  if (selection.eventId !== null) {
    conditions.push('event_id = {event_id:String}')
    parameters.event_id = selection.eventId
  }
  return {
    sql:
      `SELECT * FROM rejected_events WHERE ${conditions.join(' AND ')} ` +
      'ORDER BY collector_time DESC, src_partition DESC, src_offset DESC LIMIT {limit:UInt32}',
    parameters,
  }
}

export const REJECTED_QUERY_SETTINGS = {
  date_time_output_format: 'iso',
  output_format_json_quote_64bit_integers: 0,
} as const

/** One line of a list: time, dataset, code, event and id, and the first sentence of what is wrong. */
export function rejectedLine(row: RejectedRow): string {
  const columns = [
    row.collector_time,
    row.dataset_id.padEnd(12),
    row.code.padEnd(16),
    (row.event ?? '-').slice(0, 24).padEnd(24),
    row.event_id,
  ]
  return printable(`${columns.join('  ')}  ${row.details[0] ?? ''}`)
}

/** Everything of one rejected event, its payload at the end. */
export function rejectedText(row: RejectedRow): string {
  const isCut = Buffer.byteLength(row.payload) < row.payload_bytes
  const lines = [
    `event_id   ${row.event_id}`,
    `dataset    ${row.dataset_id}`,
    `received   ${row.collector_time} (${row.protocol})`,
    `refused    by the ${row.stage}: ${row.code}`,
    ...row.details.map((detail) => `           ${detail}`),
    `raw        partition ${row.src_partition}, offset ${row.src_offset}`,
    `payload    ${row.payload_bytes} bytes${isCut ? ', cut' : ''}`,
  ]
  return `${lines.map(printable).join('\n')}\n${printable(row.payload)}\n`
}

/** What clients sent may hold escape sequences; a terminal must not obey them. */
function printable(text: string): string {
  return text.replace(/\p{Cc}/gu, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
