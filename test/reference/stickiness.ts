import { bucketOf, bucketsBetween, type Unit } from './calendar.ts'
import { type EntityAsked, isOf } from './entities.ts'
import { type FilterList, passes } from './filters.ts'
import { actorOf, type History } from './history.ts'

export interface StickinessAsked {
  /** With a type of groups these are counted instead of those who act in the question. */
  readonly series: readonly (EntityAsked & { readonly math_group_type_index?: number })[]
  readonly interval: Unit
  readonly fromMs: number
  readonly toMs: number
  readonly properties: FilterList
  readonly groupType: number | null
  readonly cumulative: boolean
  readonly criteria: { readonly operator: 'gte' | 'lte' | 'exact'; readonly value: number }
}

/** Per series: how many actors were active in exactly n intervals (or at least n), for every n from 1. */
export function stickinessOf(stored: History, asked: StickinessAsked): number[][] {
  const { fromMs, toMs, interval } = asked
  const history = { ...stored, askedRange: { fromMs, toMs } }
  const buckets = bucketsBetween(fromMs, toMs - 1, interval, history.zone)
  const isEnough = (count: number) => {
    const { operator, value } = asked.criteria
    if (operator === 'gte') return count >= value
    return operator === 'lte' ? count <= value && count > 0 : count === value
  }
  return asked.series.map((entity) => {
    const events = history.events.filter(
      (event) =>
        event.timeMs >= fromMs &&
        event.timeMs < toMs &&
        passes(history, event, asked.properties) &&
        isOf(history, event, entity),
    )
    const groupType = entity.math_group_type_index ?? asked.groupType
    const actors = [...new Set(events.map((event) => actorOf(history, event, groupType)))]
    const active = actors
      .filter((actor) => actor !== null)
      .map(
        (actor) =>
          buckets.filter((bucket) =>
            isEnough(
              events.filter(
                (event) =>
                  actorOf(history, event, groupType) === actor &&
                  bucketOf(event.timeMs, interval, history.zone) === bucket,
              ).length,
            ),
          ).length,
      )
    return buckets.map(
      (_, index) =>
        active.filter((count) => (asked.cumulative ? count >= index + 1 : count === index + 1)).length,
    )
  })
}
