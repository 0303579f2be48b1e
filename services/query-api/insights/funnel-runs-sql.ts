import type { Bindings } from '../query/bindings.ts'
import type { FilterGroup } from '../query/property-filters.ts'
import type { Entity } from './frame.ts'
import type { Funnel } from './funnel-sql.ts'

/** A place in an actor's events: `(time, index)`, the index counted from 1. Nowhere is index 0. */
export const NOWHERE = '(toInt64(0), toInt64(0))'

/**
 * The runs of every actor, those that an exclusion ends left out, and no actor without any.
 *
 * `chain i` of an event is where step i and all later ones are reached when that event is step i: its own place, then
 * what `chain i + 1` is at the nearest later event that has one. It is made from the last step to the first, each by
 * one pass over the array from its end (arrayReverseFill carries the nearest later value), so no event is ever
 * looked for.
 *
 * @param actors a SELECT of `actor, slot, times, masks`: of its events in their order when they happened, and which
 *               they are, a bit per step and after them one per exclusion
 * @returns a SELECT of `actor, slot, runs`
 */
export function funnelRunsSql(actors: string, funnel: Funnel, bindings: Bindings): string {
  const window = bindings.bind(funnel.windowMs, 'Int64')
  const columns = [
    'arrayMap(index -> toInt64(index), arrayEnumerate(times)) AS indexes',
    ...funnel.exclusions.map((_, e) => {
      const bit = funnel.steps.length + e
      const own = `arrayMap((t, k, m) -> if(bitTest(m, ${bit}), (t, k), ${NOWHERE}), times, indexes, masks)`
      return `${shiftedSql(filledSql(own, bit), NOWHERE)} AS excluded${e}`
    }),
  ]
  const chains = funnel.order === 'unordered' ? unorderedSql(funnel, window) : orderedSql(funnel, window)
  return (
    'SELECT actor, slot, arrayMap(run -> (run.1, run.2), arrayFilter(run -> run.1 > 0 AND NOT run.3, ' +
    `${chains.runs})) AS runs FROM (SELECT actor, slot, times, masks, ${[...columns, ...chains.columns].join(', ')} ` +
    `FROM (${actors})) WHERE notEmpty(runs)`
  )
}

/** At every event the nearest one at or after it that has the bit. */
export function filledSql(array: string, bit: number): string {
  return `arrayReverseFill((x, m) -> bitTest(m, ${bit}), ${array}, masks)`
}

/** What the next event has. */
export function shiftedSql(array: string, none: string): string {
  return `arrayPushBack(arrayPopFront(${array}), ${none})`
}

interface Chains {
  readonly columns: readonly string[]
  /** Array of `(level, times, is excluded)`, one per event; level 0 where none begins. */
  readonly runs: string
}

/** Elements per step in a chain: its place, and for every exclusion from it on the next excluded place. */
function stepWidths(funnel: Funnel): number[] {
  return funnel.steps.map((_, step) => 2 + 2 * funnel.exclusions.filter(({ from }) => from === step).length)
}

function orderedSql(funnel: Funnel, window: string): Chains {
  const { steps, exclusions, order } = funnel
  const widths = stepWidths(funnel)
  const widthFrom = (step: number) => widths.slice(step).reduce((sum, width) => sum + width, 0)
  const none = (step: number) => `(${Array(widthFrom(step)).fill('toInt64(0)').join(', ')})`
  const columns: string[] = []
  for (let step = steps.length - 1; step >= 0; step--) {
    const own = exclusions.flatMap(({ from }, e) => (from === step ? [e] : []))
    const names = own.map((e) => `x${e}`)
    const place = `(t, k${names.map((name) => `, ${name}.1, ${name}.2`).join('')})`
    const isLast = step === steps.length - 1
    const element = isLast ? place : `tupleConcat(${place}, later)`
    const arrays = ['times', 'indexes', 'masks', ...own.map((e) => `excluded${e}`)]
    const parameters = ['t', 'k', 'm', ...names]
    if (!isLast) {
      parameters.push('later')
      const next = `chain${step + 1}`
      if (order === 'strict') arrays.push(shiftedSql(next, none(step + 1)))
      else {
        const nearest = filledSql(next, step + 1)
        const isSame = steps
          .slice(0, step + 1)
          .some((earlier) => isSameEntity(earlier, steps[step + 1] as Entity))
        arrays.push(isSame ? shiftedSql(nearest, none(step + 1)) : nearest)
      }
    }
    columns.push(
      `arrayMap((${parameters.join(', ')}) -> if(bitTest(m, ${step}), ${element}, ${none(step)}), ${arrays.join(', ')}) AS chain${step}`,
    )
  }
  /** Members of the first step's chain, counted from 1 as SQL does. */
  const firstOf = (step: number) => 1 + widths.slice(0, step).reduce((sum, width) => sum + width, 0)
  const time = (step: number) => `c.${firstOf(step)}`
  const index = (step: number) => `c.${firstOf(step) + 1}`
  const isReached = (step: number) => `(${index(step)} > 0 AND ${time(step)} <= ${time(0)} + ${window})`
  const level = steps.map((_, step) => isReached(step)).join(' + ')
  const excluded = exclusions.map(({ from, to }, e) => {
    const rank = exclusions.slice(0, e).filter((earlier) => earlier.from === from).length
    const at = firstOf(from) + 2 + 2 * rank
    return isExcludedSql({
      isFrom: isReached(from),
      isTo: isReached(to),
      next: { time: `c.${at}`, index: `c.${at + 1}` },
      fromTime: time(from),
      toIndex: index(to),
      window,
    })
  })
  const times = `[${steps.map((_, step) => time(step)).join(', ')}]`
  return {
    columns,
    runs:
      `arrayMap(c -> (${level}, arraySlice(${times}, 1, ${level}), ` +
      `${excluded.length === 0 ? '0' : excluded.join(' OR ')}), chain0)`,
  }
}

/**
 * In any order: from every event that is a step, the first occurrences of each step at or after it. A step that
 * stands in the funnel twice needs two events.
 */
function unorderedSql(funnel: Funnel, window: string): Chains {
  const { steps, exclusions } = funnel
  const kinds: { readonly bit: number; copies: number }[] = []
  for (const [bit, step] of steps.entries()) {
    const known = kinds.find((kind) => isSameEntity(steps[kind.bit] as Entity, step))
    if (known === undefined) kinds.push({ bit, copies: 1 })
    else known.copies++
  }
  const columns: string[] = []
  for (const [kind, { bit, copies }] of kinds.entries())
    for (let copy = copies; copy >= 1; copy--) {
      // `kind<n>_<copy>`: at every event the places of this occurrence and the later ones.
      const none = `(${Array(2 * (copies - copy + 1))
        .fill('toInt64(0)')
        .join(', ')})`
      const later = copy === copies ? null : `kind${kind}_${copy + 1}`
      const own =
        later === null
          ? `arrayMap((t, k, m) -> if(bitTest(m, ${bit}), (t, k), ${none}), times, indexes, masks)`
          : `arrayMap((t, k, m, later) -> if(bitTest(m, ${bit}), tupleConcat((t, k), later), ${none}), ` +
            `times, indexes, masks, ${shiftedSql(
              later,
              `(${Array(2 * (copies - copy))
                .fill('toInt64(0)')
                .join(', ')})`,
            )})`
      columns.push(`${filledSql(own, bit)} AS kind${kind}_${copy}`)
    }
  const names = kinds.map((_, kind) => `c${kind}`)
  const places = kinds.flatMap(({ copies }, kind) =>
    Array.from({ length: copies }, (_, copy) => `(c${kind}.${2 * copy + 1}, c${kind}.${2 * copy + 2})`),
  )
  const reached = `arraySort(arrayFilter(place -> place.2 > 0 AND place.1 <= t + ${window}, [${places.join(', ')}]))`
  const excluded = exclusions.map((_, e) =>
    isExcludedSql({
      isFrom: '1',
      isTo: `length(reached) = ${steps.length}`,
      next: { time: `x${e}.1`, index: `x${e}.2` },
      fromTime: 't',
      toIndex: 'reached[-1].2',
      window,
    }),
  )
  const isAnyStep = `bitAnd(m, ${2 ** steps.length - 1}) != 0`
  const parameters = ['t', 'm', ...exclusions.map((_, e) => `x${e}`)]
  const arrays = ['times', 'masks', ...exclusions.map((_, e) => `excluded${e}`)]
  columns.push(
    `arrayMap((${['t', ...names].join(', ')}) -> ${reached}, times, ${kinds.map((_, kind) => `kind${kind}_1`).join(', ')}) AS reaches`,
  )
  return {
    columns,
    runs:
      `arrayMap((${[...parameters, 'reached'].join(', ')}) -> (if(${isAnyStep}, length(reached), 0), ` +
      `arrayMap(place -> place.1, reached), ${excluded.length === 0 ? '0' : excluded.join(' OR ')}), ` +
      `${[...arrays, 'reaches'].join(', ')})`,
  }
}

/**
 * Does the excluded event end the run? When the later step was reached: if it lies between the two. When it was not:
 * if it lies within the window after the earlier one.
 */
function isExcludedSql(range: {
  readonly isFrom: string
  readonly isTo: string
  /** The next excluded event after the earlier step. */
  readonly next: { readonly time: string; readonly index: string }
  readonly fromTime: string
  readonly toIndex: string
  readonly window: string
}): string {
  const { isFrom, isTo, next, fromTime, toIndex, window } = range
  return `(${isFrom} AND ${next.index} > 0 AND if(${isTo}, ${next.index} < ${toIndex}, ${next.time} < ${fromTime} + ${window}))`
}

/** Two steps about the same events, which one event cannot be both of. */
export function isSameEntity(a: Entity, b: Entity): boolean {
  const about = ({ steps, filters }: Entity): readonly [unknown, FilterGroup] => [steps, filters]
  return JSON.stringify(about(a)) === JSON.stringify(about(b))
}
