import type { Question } from '../query/question.ts'
import { addIntervals, type Interval, intervalStarts, startOf, type TimeZone } from '../query/zoned-time.ts'
import { type Frame, frameOf, type InsightNeeds } from './frame.ts'
import type { RetentionRequest } from './retention-request.ts'
import { type Retention, type RetentionRecord, retentionSql } from './retention-sql.ts'
import { scaledUp } from './sampling.ts'

export interface RetentionRow {
  /** `Day 0`, `Week 3` … */
  readonly label: string
  /** Start of the period: ISO 8601, UTC. */
  readonly date: string
  /** One less in every row: periods after the last one are not asked about. */
  readonly values: readonly RetentionValue[]
  readonly people_url?: string
}

export interface RetentionValue {
  /** Actors who came back after so many periods; at 0 those who began. */
  readonly count: number
  /** Per cent of the first value or of the one before, 2 places; null of nobody. */
  readonly percentage: number | null
  readonly people_url?: string
}

/** Looks up what a question about retention refers to, and its periods: so many, the last one that of `date_to`. */
export async function retentionOf(
  needs: InsightNeeds,
  question: Question,
  request: RetentionRequest,
): Promise<{ readonly frame: Frame; readonly retention: Retention }> {
  const { period, intervals, firstTime, minimum, cumulative, mode } = request
  let startsMs: number[] = []
  const { frame, entities } = await frameOf(needs, question, request, {
    entities: [request.target, request.returning],
    rangeTo: (toMs) => {
      startsMs = lastIntervals(period, intervals, toMs, question.zone)
      return {
        fromMs: startsMs[0] as number,
        toMs: afterInterval(startsMs.at(-1) as number, period, question.zone),
      }
    },
  })
  const [target, returning] = entities
  if (target === undefined || returning === undefined) throw new Error('Retention is about two entities.')
  return { frame, retention: { target, returning, startsMs, period, firstTime, minimum, cumulative, mode } }
}

/** A triangle of counts: when actors began, and after how many periods they came back. */
export async function retention(
  needs: InsightNeeds,
  question: Question,
  request: RetentionRequest,
): Promise<RetentionRow[]> {
  const { frame, retention } = await retentionOf(needs, question, request)
  const records = await needs.ask<RetentionRecord>(question, (bindings) =>
    retentionSql(frame, retention, bindings),
  )
  const found = new Map(records.map(({ cohort, counts }) => [Number(cohort), counts.map(Number)]))
  return retention.startsMs.map((ms, cohort) => {
    const counts = Array.from({ length: request.intervals - cohort }, (_, n) => found.get(cohort)?.[n] ?? 0)
    return {
      label: `${request.periodName} ${cohort}`,
      date: new Date(ms).toISOString(),
      values: counts.map((count, n) => ({
        count: scaledUp(count, request),
        percentage: percentage(count, request.reference === 'total' ? counts[0] : counts[Math.max(0, n - 1)]),
      })),
    }
  })
}

/** Starts of the last intervals before that instant, ascending. */
export function lastIntervals(interval: Interval, count: number, toMs: number, zone: TimeZone): number[] {
  const last = startOf(interval, toMs - 1, zone)
  const first = startOf(interval, addIntervals(last, interval, 1 - count, zone), zone)
  return intervalStarts(interval, first, last + 1, zone, count).slice(-count)
}

/** Start of the interval after the one that starts there. */
export function afterInterval(startMs: number, interval: Interval, zone: TimeZone): number {
  // Noon of the next day at the latest lies in it, also where clocks skip its midnight.
  const HALF_DAY_MS = 12 * 3_600_000
  return interval === 'hour'
    ? addIntervals(startMs, interval, 1, zone)
    : startOf(interval, addIntervals(startMs + HALF_DAY_MS, interval, 1, zone), zone)
}

function percentage(count: number, of: number | undefined): number | null {
  return of === undefined || of === 0 ? null : Math.round((count / of) * 10_000) / 100
}
