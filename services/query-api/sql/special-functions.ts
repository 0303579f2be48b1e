import { parseInstant, timeZone } from '../query/zoned-time.ts'
import type { Compilation, Compiled } from './compilation.ts'
import { type Place, SqlFault } from './sql-fault.ts'

/** Values of one call, compiled. */
type Special = (args: readonly Compiled[], compilation: Compilation, place: Place) => Compiled

const UNITS = ['second', 'minute', 'hour', 'day', 'week', 'month', 'quarter', 'year']

/** A property, read as a number; null where it is none. Everything else as it is. */
export function asNumber(value: Compiled): Compiled {
  if (value.type !== 'property') return value
  return { sql: `accurateCastOrNull(${value.sql}, 'Float64')`, type: 'number' }
}

/** What is compared with a time, as one: text is read as an instant. */
export function asInstant(value: Compiled, compilation: Compilation, place: Place): string {
  if (value.literal !== undefined && value.type === 'text') {
    const instant = parseInstant(value.literal, compilation.zone)
    if (instant === null)
      throw new SqlFault(
        "A time is compared with this. Write it as ISO 8601, e.g. '2026-01-31T12:00:00Z'.",
        place,
      )
    return `fromUnixTimestamp64Milli(${compilation.bind(instant.startMs, 'Int64')}, 'UTC')`
  }
  return value.instant ?? (value.type === 'property' ? toTime(value, compilation).sql : value.sql)
}

function toTime(value: Compiled, compilation: Compilation): Compiled {
  if (value.type === 'time') return value
  const zone = compilation.bind(compilation.zone, 'String')
  return { sql: `parseDateTime64BestEffortOrNull(toString(${value.sql}), 3, ${zone})`, type: 'time' }
}

/** @throws SqlFault for anything but one of them, in quotes */
function unitOf(value: Compiled, place: Place): string {
  const unit = value.literal?.toLowerCase().replace(/s$/, '')
  if (value.type === 'text' && unit !== undefined && UNITS.includes(unit)) return `'${unit}'`
  throw new SqlFault(`The unit is one of ${UNITS.map((each) => `'${each}'`).join(', ')}.`, place)
}

const date = (sql: string): Compiled => ({ sql, type: 'unknown' })

/** Functions that ClickHouse does not have like this. */
export const SPECIAL_FUNCTIONS: Readonly<Record<string, Special>> = {
  now: (_args, compilation) => compilation.now(),
  today: (_args, compilation) => date(`toDate(${compilation.now().sql})`),
  yesterday: (_args, compilation) => date(`(toDate(${compilation.now().sql}) - 1)`),
  toInt: ([value]) => ({ sql: `accurateCastOrNull(${(value as Compiled).sql}, 'Int64')`, type: 'number' }),
  toFloat: ([value]) => ({
    sql: `accurateCastOrNull(${(value as Compiled).sql}, 'Float64')`,
    type: 'number',
  }),
  toDate: ([value], compilation) => date(`toDate(${toTime(value as Compiled, compilation).sql})`),
  toDateTime: ([value], compilation) => toTime(value as Compiled, compilation),
  dateDiff: ([unit, from, to], _compilation, place) => ({
    sql: `dateDiff(${unitOf(unit as Compiled, place)}, ${(from as Compiled).sql}, ${(to as Compiled).sql})`,
    type: 'number',
  }),
  dateTrunc: ([unit, value], _compilation, place) => ({
    sql: `dateTrunc(${unitOf(unit as Compiled, place)}, ${(value as Compiled).sql})`,
    type: 'time',
  }),
  toTimeZone: ([value, zone], compilation, place) => {
    const name = zone?.type === 'text' ? timeZone(zone.literal ?? '') : null
    if (name === null) throw new SqlFault('The second argument is the name of a time zone, in quotes.', place)
    const { sql } = toTime(value as Compiled, compilation)
    return { sql: `toTimeZone(${sql}, ${compilation.bind(name, 'String')})`, type: 'time', instant: sql }
  },
}

/** Types of CAST, in any case. */
export function castTo(type: string, value: Compiled, compilation: Compilation, place: Place): Compiled {
  const name = type.toLowerCase()
  if (/^(int|integer|bigint|int64)$/.test(name)) return call('toInt', value, compilation, place)
  if (/^(float|double|real|float64|numeric|decimal)$/.test(name))
    return call('toFloat', value, compilation, place)
  if (/^(string|text|varchar)$/.test(name)) return { sql: `toString(${value.sql})`, type: 'text' }
  if (name === 'date') return call('toDate', value, compilation, place)
  if (/^(datetime|timestamp|datetime64)$/.test(name)) return call('toDateTime', value, compilation, place)
  if (/^bool(ean)?$/.test(name)) return { sql: `accurateCastOrNull(${value.sql}, 'Bool')`, type: 'unknown' }
  throw new SqlFault('A value can be cast to String, Int, Float, Bool, Date and DateTime.', place)
}

function call(name: string, value: Compiled, compilation: Compilation, place: Place): Compiled {
  return (SPECIAL_FUNCTIONS[name] as Special)([value], compilation, place)
}
