import type { Question } from '../query/question.ts'
import { addIntervals } from '../query/zoned-time.ts'
import { answeringFaults } from '../sql/sql-failure.ts'
import { cohortIdsOf, hidesOther } from './breakdown.ts'
import type { BreakdownValues } from './breakdown-sql.ts'
import { breakdownValuesOf } from './breakdown-values.ts'
import { type Frame, frameOf, type InsightNeeds, startsOf } from './frame.ts'
import { scaledUp } from './sampling.ts'
import {
  cumulative,
  formulaLines,
  largestFirst,
  smoothed,
  type TrendLine,
  trendLines,
} from './trend-lines.ts'
import type { TrendRequest } from './trend-request.ts'
import { actionOf, type RowFrame, type TrendRow, trendRow } from './trend-rows.ts'
import type { Series, TrendShape } from './trend-shape.ts'
import { type TrendRecord, trendSql } from './trend-sql.ts'

/** A row with what tells its points apart. */
export interface TrendAnswerRow {
  readonly row: TrendRow
  readonly line: TrendLine
  /** Starts of the points; one for a number that stands for the whole range. */
  readonly startsMs: readonly number[]
  /** Null for the line of a formula: nobody in particular is behind it. */
  readonly order: number | null
}

/** One stretch of time of a trend: the asked one, or the one before. */
export interface Period {
  readonly frame: Frame
  readonly startsMs: readonly number[]
  readonly name: 'current' | 'previous'
}

/** Numbers per interval, one line per series, breakdown value and period. */
export async function trend(
  needs: InsightNeeds,
  question: Question,
  request: TrendRequest,
): Promise<TrendAnswerRow[]> {
  const { frame, entities: series } = await frameOf(needs, question, request, {
    entities: request.series,
    cohortIds: cohortIdsOf(request.breakdown),
  })
  const values =
    request.breakdown === null
      ? null
      : await breakdownValuesOf(needs.ask, question, frame, request.breakdown, series)
  const rows: TrendAnswerRow[] = []
  for (const period of periodsOf(frame, request)) {
    const lines: (readonly TrendLine[])[] = []
    for (const one of series) lines.push(await linesOf(needs, question, request, period, one, values))
    rows.push(...rowsOf(request, series, period, lines))
  }
  return rows
}

/**
 * The period that is asked for, and with a comparison the one before it: both bounds and all points moved back by as
 * many intervals of the calendar as there are points.
 */
export function periodsOf(frame: Frame, request: Pick<TrendRequest, 'interval' | 'compare'>): Period[] {
  const { interval, compare } = request
  const startsMs = startsOf(frame, interval)
  const current: Period = { frame, startsMs, name: 'current' }
  if (!compare) return [current]
  const back = (ms: number) => addIntervals(ms, interval, -startsMs.length, frame.zone)
  const before = { ...frame, fromMs: back(frame.fromMs), toMs: back(frame.toMs) }
  return [current, { frame: before, startsMs: startsOf(before, interval), name: 'previous' }]
}

/** Points of a period as its statements make them: one for the whole range where one number is asked for. */
export function pointsOf(
  period: Period,
  shape: TrendRequest['shape'],
  series: Pick<Series, 'counts'>,
): readonly number[] {
  if (shape !== 'aggregate') return period.startsMs
  return series.counts.kind === 'active' ? period.startsMs.slice(-1) : period.startsMs.slice(0, 1)
}

async function linesOf(
  { ask }: InsightNeeds,
  question: Question,
  request: TrendRequest,
  period: Period,
  series: Series,
  values: BreakdownValues | null,
): Promise<TrendLine[]> {
  const startsMs = pointsOf(period, request.shape, series)
  const isCumulative = request.shape === 'cumulative'
  const shape: TrendShape = {
    startsMs,
    firstOnly: isCumulative,
    breakdown: request.breakdown === null || values === null ? null : { by: request.breakdown, values },
  }
  const asked = () =>
    ask<TrendRecord>(question, (bindings) => trendSql(period.frame, series, shape, bindings))
  const { counts, type, math } = series
  const records =
    counts.kind === 'expression'
      ? await answeringFaults(counts.text, `${type}__math_${math}`, asked)
      : await asked()
  const found = trendLines(startsMs, scaled(records, request, series), values)
  const lines = hidesOther(request.breakdown) ? found.filter(({ isOther }) => !isOther) : found
  return isCumulative ? lines.map((line) => ({ ...line, data: cumulative(line.data) })) : lines
}

/** Counts and sums of a sample stand for all; sizes and distributions are those of the sample. */
function scaled(
  records: readonly TrendRecord[],
  request: TrendRequest,
  { counts }: Series,
): readonly TrendRecord[] {
  const isOfSample = 'aggregate' in counts ? counts.aggregate !== 'sum' : counts.kind === 'expression'
  if (isOfSample) return records
  return records.map((record) => ({ ...record, amount: scaledUp(Number(record.amount), request) }))
}

function rowsOf(
  request: TrendRequest,
  asked: readonly Series[],
  period: Period,
  series: readonly (readonly TrendLine[])[],
): TrendAnswerRow[] {
  const rowFrame: RowFrame = {
    startsMs: period.startsMs,
    interval: request.interval,
    zone: period.frame.zone,
    shape: request.shape,
    period: request.compare ? period.name : null,
    breakdown: request.breakdown,
    cohortNames: period.frame.cohortNames,
  }
  const startsMs = request.shape === 'aggregate' ? period.startsMs.slice(0, 1) : period.startsMs
  const isOrdered =
    request.breakdown?.by === 'cohorts' ||
    (request.breakdown?.by === 'properties' && request.breakdown.binCount !== null)
  const finished = (lines: readonly TrendLine[]) => {
    const smooth = lines.map((line) =>
      request.smoothingIntervals > 1
        ? { ...line, data: smoothed(line.data, request.smoothingIntervals) }
        : line,
    )
    return isOrdered ? smooth : largestFirst(smooth)
  }
  if (request.formula !== null) {
    const name = `Formula (${request.formula.text})`
    return finished(formulaLines(request.formula.parsed, series)).map((line) => ({
      row: trendRow(line, name, null, rowFrame),
      line,
      startsMs,
      order: null,
    }))
  }
  return series.flatMap((lines, index) => {
    const one = asked[index] as Series
    return finished(lines).map((line) => ({
      row: trendRow(line, one.customName ?? one.name, actionOf(one), rowFrame),
      line,
      startsMs,
      order: one.order,
    }))
  })
}
