import { Type } from '@sinclair/typebox'
import { invalidInput } from '../http/api-error.ts'
import {
  choiceDeclared,
  countDeclared,
  flagDeclared,
  type ParameterDeclaration,
  textDeclared,
  wholeDeclared,
} from '../http/parameter-declarations.ts'
import { type RawQuery, textParameter } from '../http/request-parameters.ts'
import { parseInstant, type TimeZone } from '../query/zoned-time.ts'
import type { Breakdown } from './breakdown.ts'
import type { BreakdownValues } from './breakdown-sql.ts'
import type { TimeBins } from './funnel-rows.ts'
import { flagParameter, wholeParameter } from './insight-request.ts'
import { SERIES_MAX } from './trend-request.ts'

/** People of one answer. */
export const PEOPLE_LIMITS = { page: 100, pageMax: 1_000, offsetMax: 10_000_000 } as const

/** Which part of a list. */
export const PAGE_PARAMETERS = {
  limit: countDeclared('People per page.', PEOPLE_LIMITS.page, PEOPLE_LIMITS.pageMax),
  offset: wholeDeclared('People before the page.', 0, PEOPLE_LIMITS.offsetMax, 0),
}

/** Of a question with several series: which one. */
export const ENTITY_ORDER_PARAMETER = wholeDeclared('The series, counted from 0.', 0, SERIES_MAX - 1, 0)

export const COMPARE_LABEL_PARAMETER = choiceDeclared(
  'In a comparison: which period.',
  ['current', 'previous'],
  'current',
)

export interface PeoplePage {
  readonly limit: number
  readonly offset: number
}

/** @throws ApiError 400 */
export function readPeoplePage(query: RawQuery): PeoplePage {
  return {
    limit: wholeParameter(query, 'limit', 1, PEOPLE_LIMITS.pageMax) ?? PEOPLE_LIMITS.page,
    offset: wholeParameter(query, 'offset', 0, PEOPLE_LIMITS.offsetMax) ?? 0,
  }
}

export const LINE_PARAMETERS = {
  breakdown_value: textDeclared('The value of the line; empty for a property that is not set.'),
  breakdown_other: flagDeclared('Whether it is the line of the other values.'),
}

/** Which line of a breakdown somebody asks about. */
export interface LineAsked {
  readonly value: string
  readonly isOther: boolean
}

/**
 * @returns null where nothing is broken down
 * @throws ApiError 400 for a breakdown without one of its values
 */
export function readLine(query: RawQuery, breakdown: Breakdown | null): LineAsked | null {
  if (breakdown === null) return null
  if (flagParameter(query, 'breakdown_other')) return { value: '', isOther: true }
  // Here an empty text is a value: that of a property that is not set.
  if (query.breakdown_value === '') return { value: '', isOther: false }
  const value = textParameter(query, 'breakdown_value', Number.POSITIVE_INFINITY)
  if (value === null)
    throw invalidInput(
      'breakdown_value',
      'Say which value: breakdown_value, or breakdown_other=true for the rest.',
    )
  return { value, isOther: false }
}

/** @throws ApiError 400 for a value that has no line of its own */
export function requireLine(line: LineAsked | null, values: BreakdownValues | null): void {
  if (line === null || values === null || line.isOther || values.edges !== null) return
  if (!values.values.includes(line.value))
    throw invalidInput(
      'breakdown_value',
      'This value has no line of its own; breakdown_other=true asks for the rest.',
    )
}

export const BIN_PARAMETER: ParameterDeclaration = {
  description: 'Start of a bin of times, in seconds, as `bins` has it.',
  schema: Type.Integer(),
}

/**
 * The bin of times that begins there.
 *
 * @param bins null where there is no time
 * @returns its place, from 0
 * @throws ApiError 400 for what is no start of one of them
 */
export function readBin(query: RawQuery, bins: TimeBins | null): number {
  const text = textParameter(query, 'bin_start') ?? ''
  const place = bins === null || !/^\d{1,15}$/.test(text) ? -1 : (Number(text) - bins.low) / bins.width
  if (Number.isInteger(place) && place >= 0 && place < (bins?.count ?? 0)) return place
  throw invalidInput('bin_start', 'bin_start must be the start of a bin, in seconds, as bins has it.')
}

/**
 * The point of a line, by its start or any instant in it.
 *
 * @param startsMs starts of the points, ascending
 * @returns its place; null where none is asked for
 * @throws ApiError 400 for what is no time, or none of the line
 */
export function readPoint(
  query: RawQuery,
  name: string,
  startsMs: readonly number[],
  zone: TimeZone,
): number | null {
  const text = textParameter(query, name)
  if (text === null) return null
  const instant = parseInstant(text, zone)
  const place = instant === null ? -1 : startsMs.findLastIndex((ms) => ms <= instant.startMs)
  if (place < 0) throw invalidInput(name, `${name} must be the start of a point, e.g. 2026-01-31.`)
  return place
}
