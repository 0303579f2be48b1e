import { bucketOf, bucketsBetween, type Unit } from './calendar.ts'
import { mean, percentile } from './distribution.ts'
import { type EntityAsked, isOf } from './entities.ts'
import { expressionText } from './expressions.ts'
import { type FilterList, passes } from './filters.ts'
import { actorOf, type Happening, type History, inOrder } from './history.ts'
import { type BreakdownAsked, breakdownValue, OTHER, topValues } from './trend.ts'

export interface FunnelAsked {
  readonly steps: readonly EntityAsked[]
  readonly order: 'ordered' | 'unordered' | 'strict'
  readonly windowMs: number
  readonly exclusions: readonly (EntityAsked & { readonly from: number; readonly to: number })[]
  readonly fromMs: number
  readonly toMs: number
  readonly properties: FilterList
  readonly groupType: number | null
  /** Whose texts act instead; null for persons or groups. */
  readonly actorExpression: string | null
  readonly breakdown: BreakdownAsked | null
  readonly attribution: 'first_touch' | 'last_touch' | 'all_events' | 'step'
  readonly attributionStep: number
}

/** One try: when each step was reached, as far as it got. */
export interface Run {
  readonly times: readonly number[]
}

/** An actor under one value of the breakdown, with all tries that count. */
export interface FunnelActor {
  readonly actor: string
  readonly value: string
  readonly runs: readonly Run[]
}

type Matches = (event: Happening, step: number) => boolean

export function funnelActors(stored: History, asked: FunnelAsked): FunnelActor[] {
  const { fromMs, toMs, steps } = asked
  const history = { ...stored, askedRange: { fromMs, toMs } }
  const events = inOrder(history.events).filter(
    (event) => event.timeMs >= fromMs && event.timeMs < toMs && passes(history, event, asked.properties),
  )
  const isStep: Matches = (event, step) => isOf(history, event, steps[step] as EntityAsked)
  const isAnyStep = (event: Happening) => steps.some((_, step) => isStep(event, step))
  const top = asked.breakdown === null ? [] : topValues(history, events.filter(isAnyStep), asked.breakdown)
  const raw = (event: Happening) =>
    asked.breakdown === null ? '' : breakdownValue(history, event, asked.breakdown)
  const shown = (value: string) => (asked.breakdown === null || top.includes(value) ? value : OTHER)
  const who = (event: Happening) =>
    asked.actorExpression === null
      ? actorOf(history, event, asked.groupType)
      : expressionText(history, event, asked.actorExpression) || null
  const actors = new Set(events.map(who))
  return [...actors].flatMap((actor) => {
    if (actor === null) return []
    const own = events.filter((event) => who(event) === actor)
    const under = (value: string, some: readonly Happening[], matches: Matches) => ({
      actor,
      value,
      runs: runsOf(history, asked, some, matches),
    })
    const counted = own.filter(isAnyStep)
    let found: FunnelActor[]
    if (asked.breakdown === null) found = [under('', own, isStep)]
    else if (asked.attribution === 'all_events')
      found = [...new Set(own.map((event) => shown(raw(event))))].map((value) =>
        under(
          value,
          own.filter((event) => shown(raw(event)) === value),
          isStep,
        ),
      )
    else if (asked.attribution === 'step') {
      const at = counted.filter((event) => isStep(event, asked.attributionStep))
      const values = at.length === 0 ? [shown('')] : [...new Set(at.map((event) => shown(raw(event))))]
      found = values.map((value) =>
        under(
          value,
          own,
          (event, step) =>
            isStep(event, step) &&
            (step !== asked.attributionStep || (at.length > 0 && shown(raw(event)) === value)),
        ),
      )
    } else {
      const having = counted.filter((event) => raw(event) !== '')
      const touched = asked.attribution === 'first_touch' ? having[0] : having.at(-1)
      found = [under(shown(touched === undefined ? '' : raw(touched)), own, isStep)]
    }
    return found.filter(({ runs }) => runs.length > 0)
  })
}

function runsOf(history: History, asked: FunnelAsked, events: readonly Happening[], matches: Matches): Run[] {
  const runs: Run[] = []
  for (let start = 0; start < events.length; start++) {
    const places =
      asked.order === 'unordered'
        ? anyOrder(asked, events, matches, start)
        : inTheirOrder(asked, events, matches, start)
    if (places.length > 0 && !isExcluded(history, asked, events, places))
      runs.push({ times: places.map((place) => (events[place] as Happening).timeMs) })
  }
  return runs
}

const NO_PROPERTIES: FilterList = { type: 'AND', values: [] }
const about = ({ id, properties = NO_PROPERTIES }: EntityAsked) => JSON.stringify([id, properties])
/** Are two steps about the same events? */
export const isSameStep = (a: EntityAsked, b: EntityAsked) => about(a) === about(b)

/** Places of the steps in the actor's events, from an event that is the first step. */
function inTheirOrder(
  asked: FunnelAsked,
  events: readonly Happening[],
  matches: Matches,
  start: number,
): number[] {
  const timeAt = (place: number) => (events[place] as Happening).timeMs
  if (!matches(events[start] as Happening, 0)) return []
  const places = [start]
  for (let step = 1; step < asked.steps.length; step++) {
    const last = places.at(-1) as number
    const appearedBefore = asked.steps
      .slice(0, step)
      .some((earlier) => isSameStep(earlier, asked.steps[step] as EntityAsked))
    let next: number
    if (asked.order === 'strict')
      next = events[last + 1] !== undefined && matches(events[last + 1] as Happening, step) ? last + 1 : -1
    else
      next = events.findIndex(
        (event, place) => place >= (appearedBefore ? last + 1 : last) && matches(event, step),
      )
    if (next < 0 || timeAt(next) > timeAt(start) + asked.windowMs) break
    places.push(next)
  }
  return places
}

/** From an event that is any step: the first occurrences of every step, as many as it appears in the funnel. */
function anyOrder(
  asked: FunnelAsked,
  events: readonly Happening[],
  matches: Matches,
  start: number,
): number[] {
  const opener = events[start] as Happening
  if (!asked.steps.some((_, step) => matches(opener, step))) return []
  const places: number[] = []
  for (const [step, entity] of asked.steps.entries()) {
    const copiesBefore = asked.steps.slice(0, step).filter((earlier) => isSameStep(earlier, entity)).length
    const found = events.flatMap((event, place) =>
      place >= start && event.timeMs <= opener.timeMs + asked.windowMs && matches(event, step) ? [place] : [],
    )
    const mine = found[copiesBefore]
    if (mine !== undefined) places.push(mine)
  }
  return places.sort((a, b) => a - b)
}

function isExcluded(
  history: History,
  asked: FunnelAsked,
  events: readonly Happening[],
  places: readonly number[],
): boolean {
  return asked.exclusions.some(({ from, to, ...entity }) => {
    const after = places[from]
    if (after === undefined) return false
    const before = places[to]
    return events.some((event, place) => {
      if (place <= after || !isOf(history, event, entity)) return false
      if (before !== undefined) return place < before
      return event.timeMs < (events[after] as Happening).timeMs + asked.windowMs
    })
  })
}

const levelOf = ({ runs }: Pick<FunnelActor, 'runs'>) => Math.max(...runs.map(({ times }) => times.length))

/** The actor's mean seconds from one step to another over the runs that got furthest; null if not reached. */
export function secondsBetween(actor: Pick<FunnelActor, 'runs'>, from: number, to: number): number | null {
  const level = levelOf(actor)
  if (level <= to) return null
  const best = actor.runs.filter(({ times }) => times.length === level)
  return mean(best.map(({ times }) => ((times[to] as number) - (times[from] as number)) / 1000))
}

/** Per value of the breakdown and step: how many, and how long it took from the step before. */
export function funnelSteps(stored: History, asked: FunnelAsked) {
  const actors = funnelActors(stored, asked)
  const values = [...new Set(actors.map(({ value }) => value))]
  return new Map(
    values.map((value) => {
      const mine = actors.filter((actor) => actor.value === value)
      const steps = asked.steps.map((_, step) => {
        const seconds =
          step === 0
            ? []
            : mine.map((actor) => secondsBetween(actor, step - 1, step)).filter((one) => one !== null)
        return {
          count: mine.filter((actor) => levelOf(actor) > step).length,
          average: mean(seconds),
          median: percentile(seconds, 0.5),
        }
      })
      return [value, steps] as const
    }),
  )
}

/** Per value and bucket: actors whose best run that began in it reached the one step, and the other. */
export function funnelTrend(stored: History, asked: FunnelAsked, unit: Unit, from: number, to: number) {
  const actors = funnelActors(stored, asked)
  const buckets = bucketsBetween(asked.fromMs, asked.toMs - 1, unit, stored.zone)
  const values = [...new Set(actors.map(({ value }) => value))]
  return new Map(
    values.map((value) => {
      const points = buckets.map((bucket) => {
        const levels = actors
          .filter((actor) => actor.value === value)
          .map(({ runs }) => ({
            runs: runs.filter(({ times }) => bucketOf(times[0] as number, unit, stored.zone) === bucket),
          }))
          .filter(({ runs }) => runs.length > 0)
          .map(levelOf)
        const began = levels.filter((level) => level > from).length
        const ended = levels.filter((level) => level > to).length
        return began === 0 ? 0 : Math.round((ended / began) * 10_000) / 100
      })
      return [value, points] as const
    }),
  )
}

/** Seconds between two steps of everybody who reached the later one, in bins. */
export function funnelTimes(
  stored: History,
  asked: FunnelAsked,
  from: number,
  to: number,
  binCount: number | null,
) {
  const actors = funnelActors(stored, asked)
  const seconds = actors.map((actor) => secondsBetween(actor, from, to)).filter((one) => one !== null)
  if (seconds.length === 0) return { bins: [], average: null }
  const low = Math.floor(Math.min(...seconds))
  const high = Math.ceil(Math.max(...seconds))
  let bins = 1
  while (bins ** 3 < seconds.length) bins++
  bins = binCount ?? Math.min(60, bins)
  const width = Math.ceil((high - low) / bins) || 60
  return {
    bins: Array.from({ length: bins + 1 }, (_, bin) => {
      const starts = low + bin * width
      return [starts, seconds.filter((one) => one >= starts && one < starts + width).length]
    }),
    average: mean(seconds),
  }
}
