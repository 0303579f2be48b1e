import type { EntityAsked } from './entities.ts'
import { expressionText } from './expressions.ts'
import { type FilterList, passes, propertyOf } from './filters.ts'
import { funnelActors } from './funnel.ts'
import { actorOf, type Happening, type History, inOrder, textOf } from './history.ts'

export interface PathsAsked {
  readonly types: readonly ('$pageview' | '$screen' | 'custom_event')[]
  /** What stops are called by, beside those types; null for what events of each are called by. */
  readonly expression: string | null
  readonly custom: readonly string[]
  readonly exclude: readonly string[]
  readonly groupings: readonly string[]
  readonly replacements: readonly { readonly regex: string; readonly alias: string }[]
  readonly start: string | null
  readonly end: string | null
  readonly stepLimit: number
  readonly edgeLimit: number
  readonly minWeight: number
  readonly maxWeight: number | null
  readonly fromMs: number
  readonly toMs: number
  readonly properties: FilterList
  readonly groupType: number | null
  /** Only what people of a funnel of these steps did before, between or after a step of it; null for everything. */
  readonly around: {
    readonly side: 'before_step' | 'between_steps' | 'after_step'
    readonly steps: readonly EntityAsked[]
    /** n: who reached step n; −n: who reached the one before and not n. */
    readonly step: number
  } | null
}

export interface Edge {
  readonly source: string
  readonly target: string
  readonly value: number
  readonly average: number
}

interface Stop {
  readonly item: string
  readonly timeMs: number
}

const GAP_MS = 30 * 60_000

/** Everybody's paths, each a list of stops with their numbers. */
export function pathsOf(stored: History, asked: PathsAsked): { actor: string; stops: Stop[] }[] {
  const history = { ...stored, askedRange: { fromMs: asked.fromMs, toMs: asked.toMs } }
  const events = inOrder(history.events).filter(
    (event) =>
      event.timeMs >= asked.fromMs && event.timeMs < asked.toMs && passes(history, event, asked.properties),
  )
  const actors = [...new Set(events.map((event) => actorOf(history, event, asked.groupType)))]
  const bounds = boundsOf(stored, asked)
  return actors.flatMap((actor) => {
    const bound = actor === null ? undefined : bounds(actor)
    if (actor === null || bound === undefined) return []
    const stops = events
      .filter((event) => actorOf(history, event, asked.groupType) === actor && isIncluded(event, asked))
      .filter(({ timeMs }) => timeMs >= bound.fromMs && timeMs <= bound.toMs)
      .map((event) => ({ item: itemOf(history, event, asked), timeMs: event.timeMs }))
      .filter(({ item }) => item !== '' && !asked.exclude.some((pattern) => fits(pattern, item)))
    return visits(stops).flatMap((visit) => {
      const collapsed = visit.filter(({ item }, at) => visit[at + 1]?.item !== item)
      const cut = cutTo(collapsed, asked)
      return cut === null ? [] : [{ actor, stops: cut }]
    })
  })
}

/** Times, both inclusive, that an actor's stops lie between; undefined for one that is not looked at. */
function boundsOf(stored: History, asked: PathsAsked) {
  const { around, fromMs, toMs, groupType } = asked
  if (around === null) return () => ({ fromMs, toMs })
  const { side, steps, step } = around
  const people = funnelActors(stored, {
    steps,
    order: 'ordered',
    windowMs: 14 * 24 * 60 * 60_000,
    exclusions: [],
    fromMs,
    toMs,
    properties: { type: 'AND', values: [] },
    groupType,
    actorExpression: null,
    breakdown: null,
    attribution: 'first_touch',
    attributionStep: 0,
  })
  return (actor: string) => {
    const runs = people.find((one) => one.actor === actor)?.runs ?? []
    const level = Math.max(0, ...runs.map(({ times }) => times.length))
    const best = runs.find(({ times }) => times.length === level)
    const last = step > 0 ? step : -step - 1
    if (best === undefined || (step > 0 ? level < step : level !== last)) return undefined
    const at = best.times[last - 1] as number
    if (side === 'before_step') return { fromMs, toMs: at }
    return side === 'after_step' ? { fromMs: at, toMs } : { fromMs: best.times[last - 2] as number, toMs: at }
  }
}

function isIncluded({ event }: Happening, { types, custom, expression }: PathsAsked): boolean {
  if (custom.includes(event)) return true
  const kind =
    event === '$pageview' || event === '$screen' ? event : event.startsWith('$') ? null : 'custom_event'
  const isDefault = types.length === 0 && custom.length === 0
  if (isDefault && expression !== null) return true
  return kind !== null && (isDefault || types.includes(kind))
}

function itemOf(history: History, event: Happening, asked: PathsAsked): string {
  let item = event.event
  if (asked.expression !== null) item = expressionText(history, event, asked.expression)
  else if (item === '$pageview') {
    item = textOf(propertyOf(history, event, { key: '$current_url' }))
    if (item.length > 1) item = item.replace(/\/+$/, '')
  } else if (item === '$screen') item = textOf(propertyOf(history, event, { key: '$screen_name' }))
  for (const { regex, alias } of asked.replacements) item = item.replace(new RegExp(regex, 'g'), () => alias)
  return asked.groupings.find((pattern) => fits(pattern, item)) ?? item
}

/** A pattern with `*` for anything. */
function fits(pattern: string, item: string): boolean {
  const parts = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\/]/g, '\\$&'))
  return new RegExp(`^${parts.join('.*')}$`, 's').test(item)
}

function visits(stops: readonly Stop[]): Stop[][] {
  const all: Stop[][] = []
  for (const stop of stops) {
    const current = all.at(-1)
    const last = current?.at(-1)
    if (current === undefined || last === undefined || stop.timeMs - last.timeMs > GAP_MS) all.push([stop])
    else current.push(stop)
  }
  return all
}

function cutTo(stops: Stop[], { start, end, stepLimit }: PathsAsked): Stop[] | null {
  let path = stops
  if (start !== null) {
    const at = path.findIndex(({ item }) => item === start)
    if (at < 0) return null
    path = path.slice(at)
  }
  if (end === null) return path.slice(0, stepLimit)
  const at = path.findIndex(({ item }) => item === end)
  if (at < 0) return null
  path = path.slice(0, at + 1)
  if (start === null) return path.slice(-stepLimit)
  if (path.length <= stepLimit) return path
  const head = Math.floor(stepLimit / 2)
  const tail = stepLimit - 1 - head
  const hidden = path.slice(head, path.length - tail)
  return [
    ...path.slice(0, head),
    { item: '...', timeMs: (hidden.at(-1) as Stop).timeMs },
    ...path.slice(path.length - tail),
  ]
}

export function edgesOf(stored: History, asked: PathsAsked): Edge[] {
  const found = new Map<string, { source: string; target: string; times: number[] }>()
  for (const { stops } of pathsOf(stored, asked))
    for (const [at, stop] of stops.entries()) {
      const next = stops[at + 1]
      if (next === undefined) continue
      const source = `${at + 1}_${stop.item}`
      const target = `${at + 2}_${next.item}`
      const edge = found.get(`${source}\n${target}`) ?? { source, target, times: [] }
      edge.times.push(next.timeMs - stop.timeMs)
      found.set(`${source}\n${target}`, edge)
    }
  const edges = [...found.values()]
    .map(({ source, target, times }) => ({
      source,
      target,
      value: times.length,
      average: times.reduce((sum, ms) => sum + ms, 0) / times.length,
    }))
    .filter(({ value }) => value >= asked.minWeight && (asked.maxWeight === null || value <= asked.maxWeight))
    .sort(
      (a, b) =>
        b.value - a.value ||
        (a.source < b.source ? -1 : a.source > b.source ? 1 : a.target < b.target ? -1 : 1),
    )
    .slice(0, asked.edgeLimit)
  const isLinked = ({ source }: Edge): boolean =>
    source.startsWith('1_') || edges.some((edge) => edge.target === source && isLinked(edge))
  return edges.filter(isLinked)
}
