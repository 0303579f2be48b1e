import {
  choiceDeclared,
  countDeclared,
  jsonDeclared,
  type ParameterDeclarations,
} from '../http/parameter-declarations.ts'
import { choiceParameter, type RawQuery } from '../http/request-parameters.ts'
import type { Interval } from '../query/zoned-time.ts'
import { BREAKDOWN_PARAMETERS, type Breakdown, readBreakdown } from './breakdown.ts'
import { type EntityRequest, entityParameter } from './entity-request.ts'
import {
  BIN_COUNT_PARAMETER,
  DEFAULT_WINDOW_DAYS,
  FUNNEL_LIMITS,
  readBinCount,
  readWindow,
  UNITS,
} from './funnel-request.ts'
import { impliedBeside } from './implied-parameters.ts'
import {
  INSIGHT_PARAMETERS,
  type InsightRequest,
  readInsightRequest,
  refuseUndeclared,
} from './insight-request.ts'
import { INTERVAL_PARAMETER, readInterval } from './trend-request.ts'

const TIMING_IMPLIED = impliedBeside({ insight: ['TIMING'] })

const PAIRINGS = ['each', 'nearest'] as const

export const TIMING_PARAMETERS = {
  from_entity: jsonDeclared('What a time begins with: the name of an event or an entity; `$pageview`.'),
  to_entity: jsonDeclared('What it ends with; `$pageview`.'),
  window_interval: countDeclared('The longest time.', DEFAULT_WINDOW_DAYS, FUNNEL_LIMITS.window),
  window_interval_unit: choiceDeclared('Unit of that; a month is 30 days.', UNITS, 'day'),
  pairing: choiceDeclared('Whether every first event has a time, or only the nearest.', PAIRINGS, 'each'),
  interval: INTERVAL_PARAMETER,
  bin_count: BIN_COUNT_PARAMETER,
  ...INSIGHT_PARAMETERS,
  ...BREAKDOWN_PARAMETERS,
}

export interface TimingRequest extends InsightRequest {
  readonly from: EntityRequest
  readonly to: EntityRequest
  readonly windowMs: number
  /** Every first event has a time, or only the one nearest to the second event. */
  readonly pairing: (typeof PAIRINGS)[number]
  readonly interval: Interval
  readonly breakdown: Breakdown | null
  readonly binCount: number | null
}

/** @throws ApiError 400 */
export function readTimingRequest(query: RawQuery, further: ParameterDeclarations = {}): TimingRequest {
  refuseUndeclared(query, TIMING_PARAMETERS, further, TIMING_IMPLIED)
  return {
    ...readInsightRequest(query),
    from: entityParameter(query, 'from_entity', '$pageview'),
    to: entityParameter(query, 'to_entity', '$pageview'),
    windowMs: readWindow(query, 'window_interval'),
    pairing: choiceParameter(query, 'pairing', PAIRINGS, 'each'),
    interval: readInterval(query),
    breakdown: readBreakdown(query),
    binCount: readBinCount(query),
  }
}
