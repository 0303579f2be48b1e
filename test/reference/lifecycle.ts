import { addBuckets, bucketOf, bucketsBetween, type Unit } from './calendar.ts'
import { type EntityAsked, isOf } from './entities.ts'
import { type FilterList, passes } from './filters.ts'
import { type History, personNow, personOf } from './history.ts'

export interface LifecycleAsked {
  readonly entity: EntityAsked
  readonly interval: Exclude<Unit, 'hour'>
  readonly fromMs: number
  readonly toMs: number
  readonly properties: FilterList
  /** Start of the interval before the first one. */
  readonly beforeMs: number
}

/** Per status the persons of every interval, counted; weeks begin on Monday. */
export function lifecycleOf(stored: History, asked: LifecycleAsked) {
  const { fromMs, toMs, interval } = asked
  const history = { ...stored, askedRange: { fromMs, toMs } }
  const bucket = (ms: number) => bucketOf(ms, interval, history.zone, 'monday')
  const buckets = bucketsBetween(fromMs, toMs - 1, interval, history.zone, 'monday')
  const events = history.events.filter(
    (event) =>
      event.timeMs < toMs &&
      event.timeMs >= asked.beforeMs &&
      passes(history, event, asked.properties) &&
      isOf(history, event, asked.entity),
  )
  const persons = [...new Set(events.map((event) => personOf(history, event)))].filter((one) => one !== null)
  const isActive = (person: string, at: string) =>
    events.some((event) => personOf(history, event) === person && bucket(event.timeMs) === at)
  const createdIn = (person: string) => {
    const known = personNow(history, person)
    const first = Math.min(
      ...history.events
        .filter((event) => event.timeMs < toMs && personOf(history, event) === person)
        .map(({ timeMs }) => timeMs),
    )
    return bucket(known?.createdMs ?? first)
  }
  const count = (holds: (person: string, at: string, before: string) => boolean) =>
    buckets.map((at) => persons.filter((person) => holds(person, at, addBuckets(at, -1, interval))).length)
  return {
    new: count((person, at) => isActive(person, at) && createdIn(person) === at),
    returning: count(
      (person, at, before) => isActive(person, at) && createdIn(person) !== at && isActive(person, before),
    ),
    resurrecting: count(
      (person, at, before) => isActive(person, at) && createdIn(person) !== at && !isActive(person, before),
    ),
    dormant: count((person, at, before) => !isActive(person, at) && isActive(person, before)).map((n) =>
      n === 0 ? 0 : -n,
    ),
  }
}
