import type { Clock } from '../../core/runtime/clock.ts'
import type { Question, QuestionRange } from '../query/question.ts'
import type { ResultNeeds } from '../results/results.ts'
import type { QueryResult } from './run-query.ts'

/** How long a part of a computation took: `k` is its path, as clients of product-analytics APIs know it, `t` seconds. */
export interface Timing {
  readonly k: string
  readonly t: number
}

/** Members that every answer has; null where there is nothing to say. */
export const NOTHING_TOLD = {
  columns: null,
  types: null,
  hasMore: null,
  limit: null,
  offset: null,
  hogql: null,
  resolved_date_range: null,
  timings: null,
} as const

/**
 * Runs a query, and adds how long that took and which range of time it was about.
 *
 * @param needs the rest of them are the run's own
 */
export async function measuredQuery(
  clock: Pick<Clock, 'monotonic'>,
  needs: ResultNeeds,
  question: Question,
  run: (needs: ResultNeeds, question: Question) => Promise<QueryResult>,
): Promise<QueryResult> {
  const begunMs = clock.monotonic()
  const clickhouse = stopwatch(clock)
  // The first range that is told is the question's; those of what it is made of come after it.
  const ranges: QuestionRange[] = []
  const result = await run(
    {
      ...needs,
      ask: (...asked) => clickhouse.during(() => needs.ask(...asked)),
      askTable: (...asked) => clickhouse.during(() => needs.askTable(...asked)),
    },
    { ...question, onRange: (range) => ranges.push(range) },
  )
  const timings: Timing[] = [
    { k: '.', t: (clock.monotonic() - begunMs) / 1000 },
    { k: './clickhouse', t: clickhouse.ms() / 1000 },
  ]
  return { ...NOTHING_TOLD, ...result, resolved_date_range: rangeView(ranges[0]), timings }
}

/** Time in which at least one of what it was given was going on. */
function stopwatch(clock: Pick<Clock, 'monotonic'>) {
  let [totalMs, running, sinceMs] = [0, 0, 0]
  return {
    async during<T>(work: () => Promise<T>): Promise<T> {
      if (running++ === 0) sinceMs = clock.monotonic()
      try {
        return await work()
      } finally {
        if (--running === 0) totalMs += clock.monotonic() - sinceMs
      }
    },
    ms: () => totalMs,
  }
}

function rangeView(range: QuestionRange | undefined) {
  if (range === undefined) return null
  const { fromMs, toMs } = range
  return { date_from: isoOrNull(fromMs), date_to: isoOrNull(toMs) }
}

const isoOrNull = (ms: number | null) => (ms === null ? null : new Date(ms).toISOString())
