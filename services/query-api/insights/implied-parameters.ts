import { DISPLAY_NAMES } from './trend-request.ts'

/**
 * How clients draw what is no trend: whatever they say, the answer is the same. Points that are added up would be
 * another one.
 */
const DRAWINGS = [
  ...DISPLAY_NAMES.filter((name) => name !== 'ActionsLineGraphCumulative'),
  'FunnelViz',
  'PathsViz',
]

/** What clients send along with every insight, as far as it asks for what is done anyway. */
const COMMON: Readonly<Record<string, readonly string[]>> = {
  compare: ['false', '0'],
  smoothing_intervals: ['1'],
  breakdown_type: ['event'],
  shown_as: ['Volume'],
  display: DRAWINGS,
}

/**
 * Values of parameters that an insight other than a trend does not read and takes nevertheless.
 *
 * @param own its own ones, which stand over those of all
 */
export function impliedBeside(
  own: Readonly<Record<string, readonly string[]>>,
): ReadonlyMap<string, readonly string[]> {
  return new Map(Object.entries({ ...COMMON, ...own }))
}
