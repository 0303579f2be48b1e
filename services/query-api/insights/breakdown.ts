import { invalidInput } from '../http/api-error.ts'
import {
  choiceDeclared,
  countDeclared,
  flagDeclared,
  jsonDeclared,
  wholeDeclared,
} from '../http/parameter-declarations.ts'
import { choiceParameter, type RawQuery, TEXT_LENGTH_MAX, textParameter } from '../http/request-parameters.ts'
import {
  EXPRESSION_TYPES,
  FILTER_LIMITS,
  type PropertyOwner,
  readAsOf,
  readGroupTypeIndex,
} from '../query/property-filters.ts'
import { isSessionProperty, SESSION_PROPERTIES } from '../query/session-properties.ts'
import { readEventExpression } from '../sql/event-expression.ts'
import type { Expression } from '../sql/syntax.ts'
import { flagParameter, wholeParameter } from './insight-request.ts'

/** By what an answer is divided. Every event has one value of it, of cohorts as many as its person is in. */
export type Breakdown =
  | {
      readonly by: 'properties'
      /** Whose; or what is computed of the event, an expression per key. */
      readonly owner:
        | Exclude<PropertyOwner, { readonly of: 'element' | 'recording' }>
        | { readonly of: 'expression'; readonly expressions: readonly Expression[] }
      /** Names of properties, or the texts of the expressions. */
      readonly keys: readonly string[]
      /** Addresses without a slash, question mark or hash sign at their end. */
      readonly normalizeUrl: boolean
      /** Numbers in that many bins of about as many events each, instead of one by one. */
      readonly binCount: number | null
      /** Values with a line of their own. */
      readonly limit: number
      /** Whether the others have no line. */
      readonly hidesOther: boolean
    }
  | { readonly by: 'cohorts'; readonly ids: readonly (number | 'all')[] }

type PropertyBreakdown = Extract<Breakdown, { by: 'properties' }>

export const BREAKDOWN_LIMITS = {
  default: 25,
  countries: 300,
  max: 300,
  keys: 3,
  cohorts: 25,
  bins: 90,
} as const

const TYPES = ['event', 'person', 'session', 'group', 'cohort', ...EXPRESSION_TYPES] as const

export const BREAKDOWN_PARAMETERS = {
  breakdown: jsonDeclared(
    'A line per value: a property or expression, a list of at most 3, or with `breakdown_type=cohort` a list of ids.',
  ),
  breakdown_type: choiceDeclared(
    'Whose property it is; `hogql` (`sql`): the text of an expression over the event.',
    TYPES,
    'event',
  ),
  breakdown_limit: countDeclared(
    'Values with a line of their own; the others together are `Other`.',
    BREAKDOWN_LIMITS.default,
    BREAKDOWN_LIMITS.max,
  ),
  breakdown_hide_other_aggregation: flagDeclared('Whether the others are left out.'),
  breakdown_group_type_index: wholeDeclared('With groups: their type.', 0, FILTER_LIMITS.groupTypes - 1, 0),
  breakdown_as_of: choiceDeclared(
    'With persons: their property of now, or as of the event.',
    ['now', 'event'],
    'now',
  ),
  breakdown_normalize_url: flagDeclared(
    'Whether slashes, question marks and hash signs at the end of addresses are left out.',
  ),
  breakdown_histogram_bin_count: wholeDeclared(
    'Numbers in that many bins, instead of one by one.',
    1,
    BREAKDOWN_LIMITS.bins,
  ),
}

/**
 * @param limit lines of a breakdown that does not say how many
 * @returns null where nothing is broken down
 * @throws ApiError 400
 */
export function readBreakdown(query: RawQuery, limit: number = BREAKDOWN_LIMITS.default): Breakdown | null {
  const given = listOf(textParameter(query, 'breakdown', TEXT_LENGTH_MAX * BREAKDOWN_LIMITS.keys))
  if (given === null) return null
  const type = choiceParameter(query, 'breakdown_type', TYPES, 'event')
  if (type === 'cohort') return { by: 'cohorts', ids: readCohortIds(given) }
  if (given.length > BREAKDOWN_LIMITS.keys || given.some((key) => typeof key !== 'string'))
    throw invalidInput(
      'breakdown',
      `breakdown is one property, or expression, or a list of at most ${BREAKDOWN_LIMITS.keys}.`,
    )
  const keys = given as readonly string[]
  if (type === 'session' && !keys.every(isSessionProperty))
    throw invalidInput('breakdown', `A session has the properties ${SESSION_PROPERTIES.join(', ')}.`)
  const binCount = wholeParameter(query, 'breakdown_histogram_bin_count', 1, BREAKDOWN_LIMITS.bins)
  if (binCount !== null && keys.length > 1)
    throw invalidInput('breakdown_histogram_bin_count', 'Only a breakdown by one property can have bins.')
  return {
    by: 'properties',
    owner: readOwner(type, keys, query),
    keys,
    normalizeUrl: flagParameter(query, 'breakdown_normalize_url'),
    binCount,
    limit: wholeParameter(query, 'breakdown_limit', 1, BREAKDOWN_LIMITS.max) ?? limit,
    hidesOther: flagParameter(query, 'breakdown_hide_other_aggregation'),
  }
}

/** Whether values without a line of their own are left out. */
export function hidesOther(breakdown: Breakdown | null): boolean {
  return breakdown?.by === 'properties' && breakdown.hidesOther
}

/** Cohorts that a question has to look up for it. */
export function cohortIdsOf(breakdown: Breakdown | null): number[] {
  if (breakdown?.by !== 'cohorts') return []
  return breakdown.ids.filter((id) => id !== 'all')
}

function readOwner(
  type: Exclude<(typeof TYPES)[number], 'cohort'>,
  keys: readonly string[],
  query: RawQuery,
): PropertyBreakdown['owner'] {
  switch (type) {
    case 'event':
    case 'session':
      return { of: type }
    case 'person':
      return { of: type, asOf: readAsOf(textParameter(query, 'breakdown_as_of'), 'breakdown_as_of') }
    case 'group': {
      const index = textParameter(query, 'breakdown_group_type_index') ?? '0'
      return { of: type, index: readGroupTypeIndex(index, 'breakdown_group_type_index') }
    }
    default:
      return { of: 'expression', expressions: keys.map((key) => readEventExpression(key, 'breakdown')) }
  }
}

function readCohortIds(given: readonly unknown[]): (number | 'all')[] {
  if (given.length > BREAKDOWN_LIMITS.cohorts)
    throw invalidInput('breakdown', `breakdown takes at most ${BREAKDOWN_LIMITS.cohorts} cohorts.`)
  return given.map((id) => {
    if (id === 'all') return id
    if (/^\d{1,15}$/.test(String(id))) return Number(id)
    throw invalidInput(
      'breakdown',
      'breakdown by cohorts is a list of their ids; "all" stands for everybody.',
    )
  })
}

/** Text as a list of one, JSON lists as they are. */
function listOf(text: string | null): readonly unknown[] | null {
  if (text === null) return null
  if (!text.startsWith('[')) return [text]
  try {
    const list: unknown = JSON.parse(text)
    if (Array.isArray(list) && list.length > 0) return list
  } catch {
    // A property may begin with a bracket.
    return [text]
  }
  return null
}
