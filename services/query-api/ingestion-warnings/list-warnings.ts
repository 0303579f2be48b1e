import { maskPii } from '../../core/event/mask-pii.ts'
import type { Ask } from '../query/ask.ts'
import type { Bindings } from '../query/bindings.ts'
import type { Question } from '../query/question.ts'
import { timeSql } from '../query/time-sql.ts'
import {
  WARNING_SOURCES,
  type WarningDetails,
  type WarningRow,
  type WarningSource,
} from './warning-sources.ts'

/** Days that are looked back. */
const WARNING_DAYS = 30
/** Warnings of one type that are shown, the newest ones; all are counted. */
export const WARNINGS_SHOWN_MAX = 50
const DAY_MS = 86_400_000

/** What was wrong with events in one way. */
export interface WarningType {
  readonly type: string
  readonly lastSeen: string
  readonly warnings: readonly { readonly timestamp: string; readonly details: WarningDetails }[]
  readonly count: number
}

interface CountRow {
  readonly warned: string
  readonly total: string | number
  readonly last_ms: string | number
}

/**
 * Everything that was wrong with events of the last 30 days, by type, the one that was seen last first.
 *
 * @param isMasked whether personal data is masked, as in lists of events
 */
export async function listWarnings(
  ask: Ask,
  question: Question,
  nowMs: number,
  isMasked: boolean,
): Promise<WarningType[]> {
  const sinceMs = nowMs - WARNING_DAYS * DAY_MS
  const found: WarningType[] = []
  for (const source of WARNING_SOURCES) {
    const about = { dataset: question.dataset.id, sinceMs }
    const counted = await ask<CountRow>(question, (bindings) => countsSql(source, about, bindings))
    if (counted.length === 0) continue
    const reasons = counted.map(({ warned }) => warned)
    const rows = await ask<WarningRow>(question, (bindings) => newestSql(source, reasons, about, bindings))
    for (const { warned, total, last_ms } of counted)
      found.push({
        type: source.typeOf(warned),
        lastSeen: isoTime(last_ms),
        warnings: rows
          .filter((row) => row.warned === warned)
          .map((row) => ({
            timestamp: isoTime(row.at_ms),
            details: isMasked ? masked(source.detailsOf(row)) : source.detailsOf(row),
          })),
        count: Number(total),
      })
  }
  return found.sort((one, other) => Date.parse(other.lastSeen) - Date.parse(one.lastSeen))
}

const isoTime = (ms: string | number) => new Date(Number(ms)).toISOString()

/** The id of an event is nobody's. */
function masked({ event_id, ...others }: WarningDetails): WarningDetails {
  return { event_id, ...(maskPii(others) as Omit<WarningDetails, 'event_id'>) }
}

interface About {
  readonly dataset: string
  readonly sinceMs: number
}

function warningsFrom(
  { table, time, condition }: WarningSource,
  { dataset, sinceMs }: About,
  bindings: Bindings,
) {
  const own = condition(bindings)
  return (
    `FROM ${table} WHERE dataset_id = ${bindings.bind(dataset, 'String')} AND ${time} > ${timeSql(sinceMs, bindings)}` +
    (own === null ? '' : ` AND ${own}`)
  )
}

/** How many warnings there are of each reason. */
export function countsSql(source: WarningSource, about: About, bindings: Bindings): string {
  const { reason, count, time } = source
  return (
    `SELECT ${reason} AS warned, ${count} AS total, toUnixTimestamp64Milli(max(${time})) AS last_ms ` +
    `${warningsFrom(source, about, bindings)} GROUP BY warned`
  )
}

/**
 * The newest warnings of each reason, a part of the statement for each: that keeps 50 rows while it reads, where a group of rows
 * would be gathered or sorted whole, a hundred times as slowly.
 */
export function newestSql(
  source: WarningSource,
  reasons: readonly string[],
  about: About,
  bindings: Bindings,
): string {
  const { reason, time, place, once, columns } = source
  const order = [time, ...place].map((column) => `${column} DESC`).join(', ')
  const parts = reasons.map(
    (one) =>
      `(SELECT ${bindings.bind(one, 'String')} AS warned, toUnixTimestamp64Milli(${time}) AS at_ms, ${columns.join(', ')} ` +
      `${warningsFrom(source, about, bindings)} AND ${reason} = ${bindings.bind(one, 'String')} ORDER BY ${order} ` +
      `${once === null ? '' : `LIMIT 1 BY ${once} `}LIMIT ${bindings.bind(WARNINGS_SHOWN_MAX, 'UInt64')})`,
  )
  return parts.join(' UNION ALL ')
}
