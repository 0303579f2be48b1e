import { invalidInput } from '../http/api-error.ts'
import {
  choiceDeclared,
  countDeclared,
  flagDeclared,
  type ParameterDeclarations,
  textDeclared,
} from '../http/parameter-declarations.ts'
import { choiceParameter, type RawQuery, textParameter } from '../http/request-parameters.ts'
import { INTERVALS, type Interval } from '../query/zoned-time.ts'
import { BREAKDOWN_LIMITS, BREAKDOWN_PARAMETERS, type Breakdown, readBreakdown } from './breakdown.ts'
import { type EntityRequest, readEntities } from './entity-request.ts'
import {
  ACTIONS_PARAMETER,
  EVENTS_PARAMETER,
  flagParameter,
  INSIGHT_PARAMETERS,
  type InsightRequest,
  readInsightRequest,
  refuseUndeclared,
  wholeParameter,
} from './insight-request.ts'
import { MATH_MEMBERS, MATHS, readMath, type SeriesMath } from './series-math.ts'
import { type Formula, parseFormula } from './trend-formula.ts'

export const SERIES_MAX = 10
export const SMOOTHING_MAX = 60

/** What clients of product-analytics APIs send along, as far as it asks for nothing else than is done. */
export const TREND_IMPLIED = new Map([
  ['insight', ['TRENDS']],
  ['shown_as', ['Volume']],
])

/** How clients draw a trend, with what they need for it: points, points added up, or one number for the range. */
const DISPLAYS = {
  ActionsLineGraph: 'points',
  ActionsAreaGraph: 'points',
  ActionsBar: 'points',
  ActionsLineGraphCumulative: 'cumulative',
  ActionsTable: 'aggregate',
  ActionsPie: 'aggregate',
  ActionsBarValue: 'aggregate',
  WorldMap: 'aggregate',
  BoldNumber: 'aggregate',
} as const
export const DISPLAY_NAMES = Object.keys(DISPLAYS) as (keyof typeof DISPLAYS)[]

/** See {@link readInterval}. */
export const INTERVAL_PARAMETER = choiceDeclared('Length of one point.', INTERVALS, 'day')

export const TREND_PARAMETERS = {
  event: textDeclared('One series: events of this name; all events when left out.'),
  math: choiceDeclared('What is counted of that series.', MATHS, 'total'),
  events: EVENTS_PARAMETER,
  actions: ACTIONS_PARAMETER,
  interval: INTERVAL_PARAMETER,
  display: choiceDeclared(
    'Points, points added up (`…Cumulative`), or one number for the range.',
    DISPLAY_NAMES,
    'ActionsLineGraph',
  ),
  compare: flagDeclared('Whether the period before is answered as well.'),
  formula: textDeclared('One line of this instead of the series: `A / (B + 1) * 100`.'),
  smoothing_intervals: countDeclared('Points that every one is the mean of.', 1, SMOOTHING_MAX),
  ...INSIGHT_PARAMETERS,
  ...BREAKDOWN_PARAMETERS,
}

/** Maths whose points can be added up to one that means something. */
const ADDITIVE: ReadonlySet<SeriesMath['kind']> = new Set([
  'total',
  'dau',
  'unique_group',
  'unique_session',
  'first_time',
])

export interface SeriesRequest extends EntityRequest {
  readonly math: string
  readonly counts: SeriesMath
}

export interface TrendRequest extends InsightRequest {
  readonly series: readonly SeriesRequest[]
  readonly interval: Interval
  readonly shape: 'points' | 'cumulative' | 'aggregate'
  readonly compare: boolean
  readonly formula: { readonly text: string; readonly parsed: Formula } | null
  /** Points that a moving average is taken over; 1 for none. */
  readonly smoothingIntervals: number
  readonly breakdown: Breakdown | null
}

/**
 * @param further parameters that the route reads besides
 * @throws ApiError 400 for what cannot be read, and for what is not supported
 */
export function readTrendRequest(query: RawQuery, further: ParameterDeclarations = {}): TrendRequest {
  refuseUndeclared(query, TREND_PARAMETERS, further, TREND_IMPLIED)
  const series = readSeries(query)
  const display = readDisplay(query)
  const shape = DISPLAYS[display]
  if (shape === 'cumulative') refuseNotAdditive(series)
  const formula = textParameter(query, 'formula')
  return {
    ...readInsightRequest(query),
    series,
    interval: readInterval(query),
    shape,
    compare: flagParameter(query, 'compare'),
    formula: formula === null ? null : { text: formula, parsed: parseFormula(formula, series.length) },
    smoothingIntervals: wholeParameter(query, 'smoothing_intervals', 1, SMOOTHING_MAX) ?? 1,
    breakdown: readBreakdown(
      query,
      display === 'WorldMap' ? BREAKDOWN_LIMITS.countries : BREAKDOWN_LIMITS.default,
    ),
  }
}

/** @throws ApiError 400 for one that nobody draws */
export function readDisplay(query: RawQuery): (typeof DISPLAY_NAMES)[number] {
  return choiceParameter(query, 'display', DISPLAY_NAMES, 'ActionsLineGraph')
}

/** Old clients ask by the minute and mean by the hour. */
export function readInterval(query: RawQuery): Interval {
  const asked = choiceParameter(query, 'interval', [...INTERVALS, 'minute'] as const, 'day')
  return asked === 'minute' ? 'hour' : asked
}

/** `events` and `actions` as JSON, or the short form for one series: `event` and `math`. */
export function readSeries(query: RawQuery): SeriesRequest[] {
  const isListed = textParameter(query, 'events', Number.POSITIVE_INFINITY) !== null
  const series = readEntities(query, MATH_MEMBERS, readMath)
  const event = textParameter(query, 'event')
  const math = textParameter(query, 'math')
  if (series.length === 0 && !isListed) {
    const short = {
      id: event,
      type: 'events' as const,
      name: event ?? 'All events',
      customName: null,
      order: 0,
    }
    return [{ ...short, filters: { kind: 'AND', parts: [] }, ...readShortMath(math) }]
  }
  if (event !== null || math !== null)
    throw invalidInput(
      event !== null ? 'event' : 'math',
      'event and math are for a single series. Put them into events instead.',
    )
  if (series.length === 0 || series.length > SERIES_MAX)
    throw invalidInput('events', `events and actions must be 1 to ${SERIES_MAX} series together.`)
  return series
}

function readShortMath(math: string | null) {
  const read = readMath({ math }, 'events')
  return read
}

function refuseNotAdditive(series: readonly SeriesRequest[]): void {
  const wrong = series.find(({ counts }) => !ADDITIVE.has(counts.kind) && !isSum(counts))
  if (wrong !== undefined)
    throw invalidInput('display', `Points of ${wrong.math} cannot be added up, so they cannot be cumulative.`)
}

function isSum(counts: SeriesMath): boolean {
  return counts.kind === 'property' && counts.aggregate === 'sum'
}
