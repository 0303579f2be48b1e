import type { TimeZone } from '../query/zoned-time.ts'
import { type Breakdown, hidesOther } from './breakdown.ts'
import type { EntityRequest } from './entity-request.ts'
import type { FunnelStepsRecord, FunnelTrendRecord } from './funnel-answers-sql.ts'
import type { FunnelRequest } from './funnel-request.ts'
import { OTHER_SLOT, OWN_SLOT } from './funnel-sql.ts'
import { intervalDay, intervalLabel } from './interval-labels.ts'
import { scaledUp } from './sampling.ts'
import { OTHER } from './trend-rows.ts'

type Value = string | number | readonly string[]

export interface FunnelStepRow {
  readonly action_id: string | number | null
  readonly name: string
  readonly custom_name: string | null
  readonly order: number
  readonly type: 'events' | 'actions'
  /** Actors who reached this step. */
  readonly count: number
  /** Seconds from the step before; null for the first step and for one that nobody reached. */
  readonly average_conversion_time: number | null
  readonly median_conversion_time: number | null
  readonly breakdown?: Value
  readonly breakdown_value?: Value
  readonly converted_people_url?: string
  readonly dropped_people_url?: string | null
}

/** What a slot's value is called in an answer. */
export function slotValue(slot: string, breakdown: Breakdown): Value {
  if (slot === OTHER_SLOT) return OTHER
  const value = slot.slice(OWN_SLOT.length)
  if (breakdown.by === 'cohorts') return value === 'all' ? value : Number(value)
  return breakdown.keys.length > 1 ? (JSON.parse(value) as string[]) : value
}

/** Those with most actors first, the rest last, or left out where the breakdown says so. */
export function orderedSlots<R extends { readonly slot: string }>(
  records: readonly R[],
  breakdown: Breakdown | null,
  sizeOf: (record: R) => number,
): R[] {
  const shown = hidesOther(breakdown) ? records.filter(({ slot }) => slot !== OTHER_SLOT) : records
  return shown.toSorted(
    (a, b) =>
      Number(a.slot === OTHER_SLOT) - Number(b.slot === OTHER_SLOT) ||
      sizeOf(b) - sizeOf(a) ||
      (a.slot < b.slot ? -1 : a.slot > b.slot ? 1 : 0),
  )
}

/** The steps of one value of the breakdown; of nobody where there is no record. */
export function funnelStepRows(
  request: Pick<FunnelRequest, 'order' | 'breakdown' | 'samplingFactor'> & {
    readonly steps: readonly EntityRequest[]
  },
  record: FunnelStepsRecord | undefined,
): FunnelStepRow[] {
  const value =
    request.breakdown === null || record === undefined ? null : slotValue(record.slot, request.breakdown)
  return request.steps.map((step, index) => ({
    ...stepName(step, index, request.order),
    order: index,
    count: scaledUp(Number(record?.counts[index] ?? 0), request),
    average_conversion_time: index === 0 ? null : (record?.averages[index - 1] ?? null),
    median_conversion_time: index === 0 ? null : (record?.medians[index - 1] ?? null),
    ...(value === null ? {} : { breakdown: value, breakdown_value: value }),
  }))
}

/** In any order there is no such thing as the second step, only two of them. */
function stepName(step: EntityRequest, index: number, order: FunnelRequest['order']) {
  const { id, type, name, customName } = step
  if (order !== 'unordered') return { action_id: id, name, custom_name: customName, type }
  const completed = `Completed ${index + 1} step${index === 0 ? '' : 's'}`
  return { action_id: null, name: completed, custom_name: null, type }
}

export interface FunnelTrendRow {
  /** Per cent of those who reached the earlier step, 2 places. */
  readonly data: readonly number[]
  readonly days: readonly string[]
  readonly labels: readonly string[]
  /** Points. */
  readonly count: number
  readonly reached_from_step: readonly number[]
  readonly reached_to_step: readonly number[]
  readonly breakdown_value?: Value
}

export function funnelTrendRow(
  startsMs: readonly number[],
  request: Pick<FunnelRequest, 'interval' | 'samplingFactor'>,
  zone: TimeZone,
  records: readonly FunnelTrendRecord[],
  value: Value | null,
): FunnelTrendRow {
  const at = new Map(records.map((record) => [Number(record.start_ms), record]))
  const { interval } = request
  const from = startsMs.map((ms) => Number(at.get(ms)?.reached_from ?? 0))
  const to = startsMs.map((ms) => Number(at.get(ms)?.reached_to ?? 0))
  return {
    data: from.map((began, index) =>
      began === 0 ? 0 : Math.round(((to[index] as number) / began) * 10_000) / 100,
    ),
    days: startsMs.map((ms) => intervalDay(ms, interval, zone)),
    labels: startsMs.map((ms) => intervalLabel(ms, interval, zone)),
    count: startsMs.length,
    reached_from_step: from.map((count) => scaledUp(count, request)),
    reached_to_step: to.map((count) => scaledUp(count, request)),
    ...(value === null ? {} : { breakdown_value: value }),
  }
}

export interface FunnelTimesRow {
  /** `[from seconds, actors]`, each bin up to the next one's start. */
  readonly bins: readonly (readonly [number, number])[]
  readonly average_conversion_time: number | null
  readonly breakdown_value?: Value
  /** Who is in every bin. */
  readonly persons_urls?: readonly { readonly url: string }[]
}

/** Bins that a funnel chooses by itself, at most. */
const BINS_CHOSEN_MAX = 60
/** Width of bins when all times are the same, seconds. */
const WIDTH_OF_NOTHING = 60

/** Bins of times: the first one begins at `low`, and `count` of them are `width` seconds long each. */
export interface TimeBins {
  readonly low: number
  readonly width: number
  readonly count: number
}

/** Bins with what is in them, as answers have them. */
export function filledBins(
  { low, width, count }: TimeBins,
  inBin: (bin: number) => number,
): FunnelTimesRow['bins'] {
  return Array.from({ length: count }, (_, bin) => [low + bin * width, inBin(bin)] as const)
}

/**
 * As many bins as the cube root of what is counted, of whole seconds, and one more for the largest time.
 *
 * @param times how many, and the whole seconds that they lie between
 * @param asked bins that were asked for; null to choose
 */
export function binsOf(
  times: { readonly size: number; readonly low: number; readonly high: number },
  asked: number | null,
): TimeBins {
  const count = asked ?? Math.min(BINS_CHOSEN_MAX, Math.max(1, cubeRootUp(times.size)))
  const width = Math.ceil((times.high - times.low) / count) || WIDTH_OF_NOTHING
  return { low: times.low, width, count: count + 1 }
}

/** The least whole number whose cube is not smaller; floating point gives one too many for some cubes. */
function cubeRootUp(count: number): number {
  const root = Math.ceil(Math.cbrt(count))
  return (root - 1) ** 3 >= count ? root - 1 : root
}
