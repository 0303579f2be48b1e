import type { Bindings } from '../query/bindings.ts'
import type { Breakdown } from './breakdown.ts'
import { type BreakdownValues, breakdownSql, lineSql } from './breakdown-sql.ts'
import type { Entity, Frame } from './frame.ts'
import type { SeriesMath } from './series-math.ts'

export interface Series extends Entity {
  readonly math: string
  readonly counts: SeriesMath
}

/** How the points of a trend are made. */
export interface TrendShape {
  /**
   * Starts of the points, ascending, the first one at or before the range's start. One point alone covers the whole
   * range, whatever its start.
   */
  readonly startsMs: readonly number[]
  /** Whether actors, groups and sessions count at the first point only at which they appear. */
  readonly firstOnly: boolean
  readonly breakdown: { readonly by: Breakdown; readonly values: BreakdownValues } | null
}

/** Millisecond at which the point begins that an event belongs to. */
export function startMsSql(startsMs: readonly number[], bindings: Bindings): string {
  const [only] = startsMs
  if (startsMs.length === 1 && only !== undefined) return `toInt64(${bindings.bind(only, 'Int64')})`
  return `roundDown(toUnixTimestamp64Milli(event_time), ${bindings.bind(startsMs, 'Array(Int64)')})`
}

/** Columns that every statement needs: `start_ms` and, with a breakdown, `value`. */
export function rowColumns(frame: Frame, shape: TrendShape, bindings: Bindings) {
  const columns = [`${startMsSql(shape.startsMs, bindings)} AS start_ms`]
  if (shape.breakdown === null) return { columns, joins: [] }
  const { value, joins } = breakdownSql(shape.breakdown.by, frame, bindings)
  return { columns: [...columns, `${value} AS value`], joins }
}

/** The columns `line, is_other` over rows that {@link rowColumns} made. */
export function linesSql({ breakdown }: TrendShape, bindings: Bindings): string {
  return breakdown === null ? "'' AS line, 0 AS is_other" : lineSql('value', breakdown.values, bindings)
}
