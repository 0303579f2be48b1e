import { choiceParameter, type RawQuery, refuseUnknown } from '../http/request-parameters.ts'
import type { Interval } from '../query/zoned-time.ts'
import { BREAKDOWN_PARAMETERS, type Breakdown, readBreakdown } from './breakdown.ts'
import { type EntityRequest, entityParameter } from './entity-request.ts'
import { readBinCount, readWindow } from './funnel-request.ts'
import {
  IGNORED_PARAMETERS,
  INSIGHT_PARAMETERS,
  type InsightRequest,
  readInsightRequest,
} from './insight-request.ts'
import { readInterval } from './trend-request.ts'

export const TIMING_PARAMETERS = [
  'from_entity',
  'to_entity',
  'window_interval',
  'window_interval_unit',
  'pairing',
  'interval',
  'bin_count',
  ...INSIGHT_PARAMETERS,
  ...BREAKDOWN_PARAMETERS,
  ...IGNORED_PARAMETERS,
] as const

export interface TimingRequest extends InsightRequest {
  readonly from: EntityRequest
  readonly to: EntityRequest
  readonly windowMs: number
  /** Every first event has a time, or only the one nearest to the second event. */
  readonly pairing: 'each' | 'nearest'
  readonly interval: Interval
  readonly breakdown: Breakdown | null
  readonly binCount: number | null
}

/** @throws ApiError 400 */
export function readTimingRequest(query: RawQuery, known: readonly string[] = []): TimingRequest {
  refuseUnknown(query, [...TIMING_PARAMETERS, ...known])
  return {
    ...readInsightRequest(query),
    from: entityParameter(query, 'from_entity', '$pageview'),
    to: entityParameter(query, 'to_entity', '$pageview'),
    windowMs: readWindow(query, 'window_interval'),
    pairing: choiceParameter(query, 'pairing', ['each', 'nearest'] as const, 'each'),
    interval: readInterval(query),
    breakdown: readBreakdown(query),
    binCount: readBinCount(query),
  }
}
