import { bucketOf, bucketsBetween, type Unit } from './calendar.ts'
import { mean, percentile } from './distribution.ts'
import { type EntityAsked, isOf } from './entities.ts'
import { type FilterList, passes } from './filters.ts'
import { actorOf, type History, inOrder } from './history.ts'
import { type BreakdownAsked, breakdownValue, OTHER, topValues } from './trend.ts'

export interface TimingAsked {
  readonly from: EntityAsked
  readonly to: EntityAsked
  readonly isSame: boolean
  readonly windowMs: number
  /** Every first event, or only the one nearest to the second. */
  readonly pairing: 'each' | 'nearest'
  readonly fromMs: number
  readonly toMs: number
  readonly interval: Unit
  readonly properties: FilterList
  readonly groupType: number | null
  readonly breakdown: BreakdownAsked | null
}

/** Per value of the breakdown: the distribution of the seconds between the two events, and its median over time. */
export function timingOf(stored: History, asked: TimingAsked) {
  const history = { ...stored, askedRange: { fromMs: asked.fromMs, toMs: asked.toMs } }
  const events = inOrder(history.events).filter(
    (event) =>
      event.timeMs >= asked.fromMs && event.timeMs < asked.toMs && passes(history, event, asked.properties),
  )
  const firsts = events.filter((event) => isOf(history, event, asked.from))
  const top = asked.breakdown === null ? [''] : topValues(history, firsts, asked.breakdown)
  const pairs = firsts.flatMap((first) => {
    const actor = actorOf(history, first, asked.groupType)
    if (actor === null) return []
    const own = events.filter((event) => actorOf(history, event, asked.groupType) === actor)
    const at = own.indexOf(first)
    const second = own.findIndex(
      (event, place) => place >= (asked.isSame ? at + 1 : at) && isOf(history, event, asked.to),
    )
    if (second < 0) return []
    const ms = own[second]!.timeMs - first.timeMs
    if (ms > asked.windowMs) return []
    const isNearest = !own.some(
      (event, place) =>
        place > at &&
        place <= second &&
        isOf(history, event, asked.from) &&
        (place < second || !asked.isSame),
    )
    if (asked.pairing === 'nearest' && !isNearest) return []
    const value = asked.breakdown === null ? '' : breakdownValue(history, first, asked.breakdown)
    return [{ seconds: ms / 1000, timeMs: first.timeMs, value: top.includes(value) ? value : OTHER }]
  })
  const buckets = bucketsBetween(asked.fromMs, asked.toMs - 1, asked.interval, history.zone)
  const values = [...new Set(pairs.map(({ value }) => value))]
  return new Map(
    values.map((value) => {
      const mine = pairs.filter((pair) => pair.value === value)
      const seconds = mine.map((pair) => pair.seconds)
      const points = buckets.map((bucket) =>
        percentile(
          mine
            .filter(({ timeMs }) => bucketOf(timeMs, asked.interval, history.zone) === bucket)
            .map((pair) => pair.seconds),
          0.5,
        ),
      )
      return [
        value,
        {
          count: seconds.length,
          average: mean(seconds),
          median: percentile(seconds, 0.5),
          p90: percentile(seconds, 0.9),
          points,
        },
      ] as const
    }),
  )
}
