import type { Question } from '../query/question.ts'
import { cohortIdsOf } from './breakdown.ts'
import { breakdownValuesOf } from './breakdown-values.ts'
import { type Frame, frameOf, type InsightNeeds, startsOf } from './frame.ts'
import { binsOf, filledBins, orderedSlots, slotValue, type TimeBins } from './funnel-rows.ts'
import { intervalDay, intervalLabel } from './interval-labels.ts'
import { scaledUp } from './sampling.ts'
import type { TimingRequest } from './timing-request.ts'
import { type Timing, type TimingRecord, timingBinsSql, timingSql } from './timing-sql.ts'

/** Times between two events, seconds. */
export interface TimingRow {
  readonly breakdown_value?: string | number | readonly string[]
  /** Pairs of events. */
  readonly count: number
  readonly average: number | null
  readonly median: number | null
  readonly p90: number | null
  readonly min: number | null
  readonly max: number | null
  /** `[from seconds, pairs]`, each bin up to the next one's start. */
  readonly bins: readonly (readonly [number, number])[]
  /** The same per interval of the first event; null where there is no pair. */
  readonly days: readonly string[]
  readonly labels: readonly string[]
  readonly counts: readonly number[]
  readonly averages: readonly (number | null)[]
  readonly medians: readonly (number | null)[]
  readonly p90s: readonly (number | null)[]
}

/** Looks up what a question about times refers to. */
export async function timingOf(
  needs: InsightNeeds,
  question: Question,
  request: TimingRequest,
): Promise<{ readonly frame: Frame; readonly timing: Timing }> {
  const { breakdown, windowMs, pairing } = request
  const { frame, entities } = await frameOf(needs, question, request, {
    entities: [request.from, request.to],
    cohortIds: cohortIdsOf(breakdown),
  })
  const [from, to] = entities
  if (from === undefined || to === undefined) throw new Error('A time lies between two entities.')
  const values =
    breakdown === null ? null : await breakdownValuesOf(needs.ask, question, frame, breakdown, [from])
  return {
    frame,
    timing: {
      from,
      to,
      windowMs,
      pairing,
      breakdown: breakdown === null || values === null ? null : { by: breakdown, values },
    },
  }
}

/** How long it takes from one event to another: a row, or one per value of the breakdown, the most frequent first. */
export async function timing(
  needs: InsightNeeds,
  question: Question,
  request: TimingRequest,
): Promise<{ readonly slot: string; readonly row: TimingRow }[]> {
  const { frame, timing } = await timingOf(needs, question, request)
  const startsMs = startsOf(frame, request.interval)
  const records = await timingRecordsOf(needs, question, { frame, timing }, startsMs)
  const whole = orderedSlots(
    records.filter(({ start_ms }) => start_ms === null),
    request.breakdown,
    ({ pairs }) => Number(pairs),
  )
  const slots = whole.map(({ slot }) => slot)
  if (slots.length === 0 && request.breakdown === null) slots.push('')
  const rows: { slot: string; row: TimingRow }[] = []
  for (const slot of slots) {
    const own = whole.find((record) => record.slot === slot)
    const at = new Map(
      records
        .filter((record) => record.slot === slot && record.start_ms !== null)
        .map((record) => [Number(record.start_ms), record]),
    )
    const points = startsMs.map((ms) => at.get(ms))
    rows.push({
      slot,
      row: {
        ...(request.breakdown === null ? {} : { breakdown_value: slotValue(slot, request.breakdown) }),
        count: scaledUp(Number(own?.pairs ?? 0), request),
        average: own?.average ?? null,
        median: own?.median ?? null,
        p90: own?.p90 ?? null,
        min: own?.least ?? null,
        max: own?.most ?? null,
        bins: own === undefined ? [] : await binsFor(needs, question, request, { frame, timing, own }),
        days: startsMs.map((ms) => intervalDay(ms, request.interval, frame.zone)),
        labels: startsMs.map((ms) => intervalLabel(ms, request.interval, frame.zone)),
        counts: points.map((point) => scaledUp(Number(point?.pairs ?? 0), request)),
        averages: points.map((point) => point?.average ?? null),
        medians: points.map((point) => point?.median ?? null),
        p90s: points.map((point) => point?.p90 ?? null),
      },
    })
  }
  return rows
}

/** What is known of the times of every value: of the whole range, and of every interval of the first event. */
export async function timingRecordsOf(
  { ask }: InsightNeeds,
  question: Question,
  { frame, timing }: Awaited<ReturnType<typeof timingOf>>,
  startsMs: readonly number[],
): Promise<readonly TimingRecord[]> {
  return ask<TimingRecord>(question, (bindings) => timingSql(frame, timing, startsMs, bindings))
}

async function binsFor(
  { ask }: InsightNeeds,
  question: Question,
  request: TimingRequest,
  of: { readonly frame: Frame; readonly timing: Timing; readonly own: TimingRecord },
): Promise<TimingRow['bins']> {
  const { frame, timing, own } = of
  const bins = timingBins(own, request)
  const counts = await ask<{ bin: number; pairs: number }>(question, (bindings) =>
    timingBinsSql(frame, timing, own.slot, bins, bindings),
  )
  const found = new Map(counts.map(({ bin, pairs }) => [Number(bin), scaledUp(Number(pairs), request)]))
  return filledBins(bins, (bin) => found.get(bin) ?? 0)
}

export function timingBins({ pairs, least, most }: TimingRecord, { binCount }: TimingRequest): TimeBins {
  return binsOf({ size: Number(pairs), low: Math.floor(least), high: Math.ceil(most) }, binCount)
}
