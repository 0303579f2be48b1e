import type { Bindings } from '../query/bindings.ts'
import { counting, type Frame } from './frame.ts'
import type { TimeBins } from './funnel-rows.ts'
import { type Funnel, funnelActorsSql } from './funnel-sql.ts'

/** Seconds from one step to another of a run that reached the later one; steps counted from 0. */
function secondsSql(run: string, from: number, to: number): string {
  return `(${run}.2[${to + 1}] - ${run}.2[${from + 1}]) / 1000`
}

/** Everybody with `level`, how far the best runs got, and those runs as `best`. */
export function bestRunsSql(frame: Frame, funnel: Funnel, bindings: Bindings): string {
  return (
    'SELECT actor, slot, arrayMax(run -> run.1, runs) AS level, ' +
    'arrayFilter(run -> run.1 = level, runs) AS best ' +
    `FROM (${funnelActorsSql(frame, funnel, bindings)})`
  )
}

export interface FunnelStepsRecord {
  readonly slot: string
  /** Per step: how many reached it. */
  readonly counts: readonly (number | string)[]
  /** Per step from the second on, seconds from the step before; null when nobody reached it. */
  readonly averages: readonly (number | null)[]
  readonly medians: readonly (number | null)[]
}

/** How many reached each step, and how long they took: a person's time is the mean of its best runs. */
export function funnelStepsSql(frame: Frame, funnel: Funnel, bindings: Bindings): string {
  const steps = funnel.steps.map((_, step) => step)
  const later = steps.slice(1)
  const seconds = later.map(
    (step) =>
      `if(level > ${step}, arrayAvg(arrayMap(run -> ${secondsSql('run', step - 1, step)}, best)), 0) AS seconds${step}`,
  )
  const people = `SELECT slot, level${seconds.map((sql) => `, ${sql}`).join('')} FROM (${bestRunsSql(counting(frame), funnel, bindings)})`
  const list = (items: readonly string[]) =>
    items.length === 0 ? '[]::Array(Nullable(Float64))' : `[${items.join(', ')}]`
  const over = (aggregate: string, step: number) =>
    `if(countIf(level > ${step}) = 0, NULL, ${aggregate}(seconds${step}, level > ${step}))`
  return (
    `SELECT slot, [${steps.map((step) => `countIf(level > ${step})`).join(', ')}] AS counts, ` +
    `${list(later.map((step) => over('avgIf', step)))} AS averages, ` +
    `${list(later.map((step) => over('quantileExactInclusiveIf(0.5)', step)))} AS medians ` +
    `FROM (${people}) GROUP BY slot`
  )
}

export interface FunnelTrendRecord {
  readonly slot: string
  readonly start_ms: number | string
  readonly reached_from: number | string
  readonly reached_to: number | string
}

/** Per interval of a run's first event: actors whose best run of it reached the one step, and the other. */
export function funnelTrendSql(
  frame: Frame,
  funnel: Funnel,
  startsMs: readonly number[],
  fromStep: number,
  toStep: number,
  bindings: Bindings,
): string {
  const start = `roundDown(run.2[1], ${bindings.bind(startsMs, 'Array(Int64)')})`
  return (
    `SELECT slot, start_ms, countIf(level > ${fromStep}) AS reached_from, countIf(level > ${toStep}) AS reached_to ` +
    `FROM (SELECT actor, slot, ${start} AS start_ms, max(run.1) AS level ` +
    `FROM (${funnelActorsSql(counting(frame), funnel, bindings)}) ARRAY JOIN runs AS run GROUP BY actor, slot, start_ms) ` +
    'GROUP BY slot, start_ms'
  )
}

export interface FunnelTimesRecord {
  readonly slot: string
  readonly actors: number | string
  readonly low: number
  readonly high: number
  readonly average: number
}

/** Seconds between two steps of everybody who reached the later one: `actor, slot, seconds`. */
export function funnelSecondsSql(
  frame: Frame,
  funnel: Funnel,
  fromStep: number,
  toStep: number,
  bindings: Bindings,
): string {
  return (
    `SELECT actor, slot, arrayAvg(arrayMap(run -> ${secondsSql('run', fromStep, toStep)}, best)) AS seconds ` +
    `FROM (${bestRunsSql(frame, funnel, bindings)}) WHERE level > ${toStep}`
  )
}

/** Their bounds and average, per value of the breakdown. */
export function funnelTimesSql(
  frame: Frame,
  funnel: Funnel,
  fromStep: number,
  toStep: number,
  bindings: Bindings,
): string {
  return (
    'SELECT slot, count() AS actors, floor(min(seconds)) AS low, ceil(max(seconds)) AS high, avg(seconds) AS average ' +
    `FROM (${funnelSecondsSql(counting(frame), funnel, fromStep, toStep, bindings)}) GROUP BY slot`
  )
}

/** The bin that a time lies in, counted from 0. */
export function timeBinSql({ low, width }: Pick<TimeBins, 'low' | 'width'>, bindings: Bindings): string {
  return `toUInt32(floor((seconds - ${bindings.bind(low, 'Float64')}) / ${bindings.bind(width, 'Float64')}))`
}

/** Bins of one value's times: rows `bin` (counted from 0) and `actors`, none for an empty bin. */
export function funnelBinsSql(
  frame: Frame,
  funnel: Funnel,
  fromStep: number,
  toStep: number,
  slot: string,
  bins: TimeBins,
  bindings: Bindings,
): string {
  const seconds = funnelSecondsSql(counting(frame), funnel, fromStep, toStep, bindings)
  return (
    `SELECT ${timeBinSql(bins, bindings)} AS bin, count() AS actors FROM (${seconds}) ` +
    `WHERE slot = ${bindings.bind(slot, 'String')} GROUP BY bin`
  )
}
