import type { Clock } from '../../core/runtime/clock.ts'
import { invalidInput } from '../http/api-error.ts'
import type { Ask } from '../query/ask.ts'
import { parseDateRange } from '../query/date-range.ts'
import { invalidPatterns } from '../query/invalid-patterns.ts'
import type { Question } from '../query/question.ts'
import { intervalStarts } from '../query/zoned-time.ts'
import {
  breakdownValuesSql,
  firstEventSql,
  type TrendRecord,
  type TrendScope,
  trendSql,
} from './trend-query.ts'
import type { TrendRequest } from './trend-request.ts'
import { type TrendRow, trendRows } from './trend-rows.ts'

/** Points of one trend line at most. */
export const INTERVALS_MAX = 1_500
const DAY_MS = 86_400_000

/** Counts per interval, one line per series and breakdown value. */
export async function trend(
  ask: Ask,
  clock: Pick<Clock, 'now'>,
  question: Question,
  request: TrendRequest,
): Promise<TrendRow[]> {
  const { dataset, zone } = question
  const nowMs = clock.now()
  const range = parseDateRange(request.dateFrom, request.dateTo, nowMs, zone)
  const fromMs = range.fromMs ?? (await firstEventMs(ask, question)) ?? range.toMs - DAY_MS
  const startsMs = intervalStarts(request.interval, fromMs, range.toMs, zone, INTERVALS_MAX)
  if (startsMs.length > INTERVALS_MAX)
    throw invalidInput('interval', `This makes more than ${INTERVALS_MAX} points. Take a longer interval.`)
  const scope: TrendScope = {
    dataset: dataset.id,
    fromMs,
    toMs: range.toMs,
    startsMs,
    filters: request.filters,
  }
  const invalid = await invalidPatterns(ask, question, [
    request.filters,
    ...request.series.map(({ filters }) => filters),
  ])
  const rows: TrendRow[] = []
  for (const [order, series] of request.series.entries()) {
    let breakdown: { property: string; values: string[] } | null = null
    if (request.breakdown !== null) {
      const property = request.breakdown
      const found = await ask<{ value: string }>(question, (bindings) =>
        breakdownValuesSql(scope, series, property, request.breakdownLimit, bindings, zone, invalid),
      )
      breakdown = { property, values: found.map(({ value }) => value) }
    }
    const records = await ask<TrendRecord>(question, (bindings) =>
      trendSql(scope, series, breakdown, bindings, zone, invalid),
    )
    rows.push(...trendRows(series, order, startsMs, request.interval, zone, records, breakdown !== null))
  }
  return rows
}

async function firstEventMs(ask: Ask, question: Question): Promise<number | null> {
  const [row] = await ask<{ first_ms: string | number | null }>(question, (bindings) =>
    firstEventSql(question.dataset.id, bindings),
  )
  return row === undefined || row.first_ms === null ? null : Number(row.first_ms)
}
