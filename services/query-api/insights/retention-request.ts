import { invalidInput } from '../http/api-error.ts'
import {
  choiceDeclared,
  countDeclared,
  flagDeclared,
  jsonDeclared,
  type ParameterDeclarations,
} from '../http/parameter-declarations.ts'
import { choiceParameter, type RawQuery, textParameter } from '../http/request-parameters.ts'
import type { Interval } from '../query/zoned-time.ts'
import { type EntityRequest, entityParameter } from './entity-request.ts'
import { impliedBeside } from './implied-parameters.ts'
import {
  flagParameter,
  INSIGHT_PARAMETERS,
  type InsightRequest,
  readInsightRequest,
  refuseUndeclared,
  wholeParameter,
} from './insight-request.ts'

/** Periods of one answer: as many as the bits that an actor's returns are kept in, and some to spare. */
export const RETENTION_LIMITS = { intervals: 60, intervalsDefault: 11, occurrences: 1_000 } as const

const PERIODS = { Hour: 'hour', Day: 'day', Week: 'week', Month: 'month' } as const satisfies Record<
  string,
  Interval
>
const PERIOD_NAMES = Object.keys(PERIODS) as (keyof typeof PERIODS)[]
const TYPES = ['retention_recurring', 'retention_first_time'] as const
const REFERENCES = ['total', 'previous'] as const
const WINDOW_MODES = ['strict_calendar_dates', '24_hour_windows'] as const

export const RETENTION_PARAMETERS = {
  retention_type: choiceDeclared(
    'Whether every target event counts, or only the first ever.',
    TYPES,
    'retention_recurring',
  ),
  retention_reference: choiceDeclared(
    'Percentages are of the first value or of the one before.',
    REFERENCES,
    'total',
  ),
  period: choiceDeclared('Length of one period.', PERIOD_NAMES, 'Day'),
  total_intervals: countDeclared(
    'Periods; the last one is that of date_to.',
    RETENTION_LIMITS.intervalsDefault,
    RETENTION_LIMITS.intervals,
  ),
  target_entity: jsonDeclared('What begins: the name of an event or an entity; `$pageview`.'),
  returning_entity: jsonDeclared('What counts as coming back; `$pageview`.'),
  minimum_occurrences: countDeclared(
    'Returning events that a period needs.',
    1,
    RETENTION_LIMITS.occurrences,
  ),
  cumulative: flagDeclared('Whether who returns later counts as there until then.'),
  time_window_mode: choiceDeclared(
    'Periods of the calendar, or of fixed length from the first target event on.',
    WINDOW_MODES,
    'strict_calendar_dates',
  ),
  ...INSIGHT_PARAMETERS,
}

export interface RetentionRequest extends InsightRequest {
  readonly target: EntityRequest
  readonly returning: EntityRequest
  /** Only an actor's first target event ever counts. */
  readonly firstTime: boolean
  /** Percentages are of the first value, or of the one before. */
  readonly reference: (typeof REFERENCES)[number]
  readonly period: Interval
  readonly periodName: string
  readonly intervals: number
  /** Returning events that a period needs. */
  readonly minimum: number
  /** Who returns later counts as there until then. */
  readonly cumulative: boolean
  /** Periods of the calendar, or of that length from the actor's own target event on. */
  readonly mode: 'calendar' | '24_hours'
}

/** @throws ApiError 400 */
export function readRetentionRequest(query: RawQuery, further: ParameterDeclarations = {}): RetentionRequest {
  const given = withPlainNames(query)
  const periodName = PERIOD_NAMES.find(
    (name) => name.toLowerCase() === (textParameter(given, 'period') ?? 'Day').toLowerCase(),
  )
  if (periodName === undefined)
    throw invalidInput('period', `period must be one of ${PERIOD_NAMES.join(', ')}.`)
  // An interval says nothing new where it is the period.
  const implied = impliedBeside({ insight: ['RETENTION'], interval: [PERIODS[periodName]] })
  refuseUndeclared(given, RETENTION_PARAMETERS, further, implied)
  const { intervals, intervalsDefault, occurrences } = RETENTION_LIMITS
  return {
    ...readInsightRequest(given),
    target: entityParameter(given, 'target_entity', '$pageview'),
    returning: entityParameter(given, 'returning_entity', '$pageview'),
    firstTime:
      choiceParameter(given, 'retention_type', TYPES, 'retention_recurring') === 'retention_first_time',
    reference: choiceParameter(given, 'retention_reference', REFERENCES, 'total'),
    period: PERIODS[periodName],
    periodName,
    intervals: wholeParameter(given, 'total_intervals', 1, intervals) ?? intervalsDefault,
    minimum: wholeParameter(given, 'minimum_occurrences', 1, occurrences) ?? 1,
    cumulative: flagParameter(given, 'cumulative'),
    mode:
      choiceParameter(given, 'time_window_mode', WINDOW_MODES, 'strict_calendar_dates') === '24_hour_windows'
        ? '24_hours'
        : 'calendar',
  }
}

/** Newer clients write some names in another way. */
function withPlainNames(query: RawQuery): RawQuery {
  const { minimumOccurrences, timeWindowMode, ...rest } = query
  return {
    ...rest,
    ...(minimumOccurrences === undefined ? {} : { minimum_occurrences: minimumOccurrences }),
    ...(timeWindowMode === undefined ? {} : { time_window_mode: timeWindowMode }),
  }
}
