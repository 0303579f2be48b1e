import { addBuckets, bucketOf } from './calendar.ts'
import { type EntityAsked, isOf } from './entities.ts'
import { type FilterList, passes } from './filters.ts'
import { actorOf, type Happening, type History, inOrder } from './history.ts'

export interface RetentionAsked {
  readonly target: EntityAsked
  readonly returning: EntityAsked
  readonly firstTime: boolean
  readonly period: 'day' | 'week' | 'month'
  readonly intervals: number
  /** Any instant of the last bucket. */
  readonly lastMs: number
  /** First instant of the first bucket, and the one after the last. */
  readonly fromMs: number
  readonly endMs: number
  readonly minimum: number
  readonly cumulative: boolean
  readonly mode: 'calendar' | '24_hours'
  readonly properties: FilterList
  readonly groupType: number | null
}

const PERIOD_MS = { day: 86_400_000, week: 604_800_000, month: 2_592_000_000 }

/** Per bucket of the target event, per number of periods after it: the actors who came back. */
export function retentionOf(stored: History, asked: RetentionAsked): string[][][] {
  const history = { ...stored, askedRange: { fromMs: asked.fromMs, toMs: asked.endMs } }
  const { period, intervals } = asked
  const last = bucketOf(asked.lastMs, period, history.zone)
  const buckets = Array.from({ length: intervals }, (_, index) =>
    addBuckets(last, index - intervals + 1, period),
  )
  const events = inOrder(history.events).filter(
    (event) => event.timeMs < asked.endMs && passes(history, event, asked.properties),
  )
  const bucket = ({ timeMs }: Happening) => bucketOf(timeMs, period, history.zone)
  const actors = [...new Set(events.map((event) => actorOf(history, event, asked.groupType)))].filter(
    (actor) => actor !== null,
  )
  return buckets.map((begin, at) =>
    Array.from({ length: intervals - at }, (_, n) =>
      actors.filter((actor) => {
        const own = events.filter((event) => actorOf(history, event, asked.groupType) === actor)
        const targets = own.filter((event) => isOf(history, event, asked.target))
        const first = targets[0]
        const started = asked.firstTime
          ? first !== undefined && bucket(first) === begin
            ? first
            : undefined
          : targets.find((event) => bucket(event) === begin)
        if (started === undefined) return false
        if (n === 0) return true
        const returns = own.filter(
          (event) => isOf(history, event, asked.returning) && event.timeMs >= asked.fromMs,
        )
        const came = (after: number) =>
          returns.filter((event) =>
            asked.mode === 'calendar'
              ? bucket(event) === buckets[at + after]
              : Math.floor((event.timeMs - started.timeMs) / PERIOD_MS[period]) === after,
          ).length >= asked.minimum
        if (!asked.cumulative) return came(n)
        return Array.from({ length: intervals - at - n }, (_, more) => n + more).some(came)
      }),
    ),
  )
}
