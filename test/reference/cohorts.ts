import { addDays, wall } from './calendar.ts'
import { type Filter, type FilterList, operatorHolds, passes } from './filters.ts'
import { type Happening, type History, inOrder, personNow, personOf } from './history.ts'

/** Who is in a cohort, found by looking at every person and every event again for each criterion. */

export interface GroupAsked {
  readonly type: 'AND' | 'OR'
  readonly values: readonly (GroupAsked | CriterionAsked)[]
}

export type CriterionAsked =
  | (Pick<Filter, 'key' | 'operator' | 'value'> & { readonly type: 'person'; readonly negation?: boolean })
  | { readonly type: 'cohort'; readonly key: 'id'; readonly value: number; readonly negation?: boolean }
  | BehaviourAsked

export interface BehaviourAsked {
  readonly type: 'behavioral'
  readonly value: string
  readonly key: string | null
  readonly event_filters?: FilterList
  readonly time_value: number
  readonly time_interval: string
  readonly operator?: string
  readonly operator_value?: number
  readonly seq_event?: string | null
  readonly seq_time_value?: number
  readonly seq_time_interval?: string
  readonly min_periods?: number
  readonly total_periods?: number
  readonly negation?: boolean
}

export interface World {
  readonly history: History
  readonly nowMs: number
  /** Distinct ids that lists of other cohorts hold. */
  readonly cohorts: Readonly<Record<number, readonly string[]>>
}

export function membersOf(world: World, group: GroupAsked): string[] {
  const { history } = world
  const everybody = new Set([
    ...history.persons.map(({ person }) => person),
    ...history.events.flatMap((event) => personOf(history, event) ?? []),
    ...Object.values(world.cohorts)
      .flat()
      .map((id) => ownerOf(history, id)),
  ])
  return [...everybody].filter((person) => !isDeleted(history, person) && fits(world, group, person)).sort()
}

function fits(world: World, part: GroupAsked | CriterionAsked, person: string): boolean {
  if ('values' in part) {
    const { type, values } = part
    return type === 'AND'
      ? values.every((one) => fits(world, one, person))
      : values.some((one) => fits(world, one, person))
  }
  return holds(world, part, person) !== (part.negation === true)
}

function holds(world: World, criterion: CriterionAsked, person: string): boolean {
  const { history, cohorts } = world
  if (criterion.type === 'cohort')
    return (cohorts[criterion.value] ?? []).some((id) => ownerOf(history, id) === person)
  if (criterion.type === 'behavioral') return behaves(world, criterion, person)
  const state = personNow(history, person)
  return state !== null && operatorHolds(state.properties[criterion.key], criterion)
}

function behaves({ history, nowMs }: World, asked: BehaviourAsked, person: string): boolean {
  const back = (value: number, unit: string) => before(nowMs, value, unit, history.zone)
  const from = back(asked.time_value, asked.time_interval)
  const own = inOrder(history.events).filter(
    (event) => event.timeMs < nowMs && personOf(history, event) === person,
  )
  /** Events of the criterion; sessions are looked at from the day before `sinceMs` on. */
  const did = (sinceMs: number) =>
    own.filter(
      (event) =>
        (asked.key === null || event.event === asked.key) &&
        passes(
          { ...history, askedRange: { fromMs: sinceMs, toMs: nowMs } },
          event,
          asked.event_filters ?? { type: 'AND', values: [] },
        ),
    )
  const since = (events: readonly Happening[], ms: number) => events.filter(({ timeMs }) => timeMs >= ms)
  const recent = () => back(asked.seq_time_value as number, asked.seq_time_interval as string)
  switch (asked.value) {
    case 'performed_event':
      return since(did(from), from).length > 0
    case 'performed_event_multiple':
      return enough(since(did(from), from).length, asked)
    case 'performed_event_first_time': {
      const first = did(0)[0]
      return first !== undefined && first.timeMs >= from
    }
    case 'performed_event_sequence': {
      const spanMs = (asked.seq_time_value as number) * LENGTH_MS[asked.seq_time_interval as string]!
      return since(did(from), from).some((first) =>
        own.some(
          (then) =>
            (asked.seq_event === null || then.event === asked.seq_event) &&
            own.indexOf(then) > own.indexOf(first) &&
            then.timeMs - first.timeMs <= spanMs,
        ),
      )
    }
    case 'performed_event_regularly': {
      const total = asked.total_periods as number
      const edges = Array.from({ length: total + 1 }, (_, n) =>
        n === 0 ? nowMs : back(asked.time_value * n, asked.time_interval),
      )
      const events = did(edges[total] as number)
      const good = edges.slice(1).filter((start, n) => {
        const inPeriod = events.filter(({ timeMs }) => timeMs >= start && timeMs < (edges[n] as number))
        return enough(inPeriod.length, asked)
      })
      return good.length >= (asked.min_periods as number)
    }
    case 'stopped_performing_event': {
      const events = since(did(from), from)
      return events.length > 0 && since(events, recent()).length === 0
    }
    case 'restarted_performing_event': {
      const events = did(0)
      const between = since(events, from).length - since(events, recent()).length
      return since(events, recent()).length > 0 && between === 0 && events.some(({ timeMs }) => timeMs < from)
    }
    default:
      throw new Error(`The reference has no behaviour ${asked.value}.`)
  }
}

/** Who has none has never enough. */
function enough(count: number, { operator = 'gte', operator_value: wanted = 1 }: BehaviourAsked): boolean {
  if (count === 0) return false
  switch (operator) {
    case 'gte':
      return count >= wanted
    case 'lte':
      return count <= wanted
    case 'gt':
      return count > wanted
    case 'lt':
      return count < wanted
    default:
      return count === wanted
  }
}

const LENGTH_MS: Readonly<Record<string, number>> = {
  minute: 60_000,
  hour: 3_600_000,
  day: 86_400_000,
  week: 604_800_000,
  month: 2_592_000_000,
  year: 31_536_000_000,
}

/** The instant at which clocks showed the same time so many units ago. */
function before(ms: number, value: number, unit: string, zone: string): number {
  if (unit === 'minute' || unit === 'hour') return ms - value * LENGTH_MS[unit]!
  const [date = '', time = ''] = wall(ms, zone).split(' ')
  const target = `${dateBefore(date, value, unit)} ${time}`
  const guess = Date.parse(`${target.replace(' ', 'T')}Z`)
  for (let at = guess - 15 * 3_600_000; at < guess + 15 * 3_600_000; at += 900_000)
    if (wall(at, zone) === target) return at + (((ms % 1000) + 1000) % 1000)
  throw new Error(`Clocks in ${zone} never showed ${target}.`)
}

function dateBefore(date: string, value: number, unit: string): string {
  if (unit === 'day') return addDays(date, -value)
  if (unit === 'week') return addDays(date, -7 * value)
  const [year = 0, month = 0, day = 0] = date.split('-').map(Number)
  const months = year * 12 + month - 1 - (unit === 'year' ? 12 * value : value)
  const last = new Date(Date.UTC(Math.floor(months / 12), (months % 12) + 1, 0))
  return `${last.toISOString().slice(0, 8)}${String(Math.min(day, last.getUTCDate())).padStart(2, '0')}`
}

function ownerOf(history: History, id: string): string {
  const moved = history.overrides.filter((one) => one.id === id).sort((a, b) => b.version - a.version)[0]
  return moved?.person ?? id
}

function isDeleted(history: History, person: string): boolean {
  const states = history.persons.filter((state) => state.person === person)
  return states.sort((a, b) => b.version - a.version)[0]?.isDeleted ?? false
}
