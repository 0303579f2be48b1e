import { invalidInput } from '../http/api-error.ts'
import type { Question } from '../query/question.ts'
import { cohortIdsOf } from './breakdown.ts'
import { breakdownValuesOf } from './breakdown-values.ts'
import { type Entity, type Frame, frameOf, type InsightNeeds, startsOf } from './frame.ts'
import {
  type FunnelStepsRecord,
  type FunnelTimesRecord,
  type FunnelTrendRecord,
  funnelBinsSql,
  funnelStepsSql,
  funnelTimesSql,
  funnelTrendSql,
} from './funnel-answers-sql.ts'
import type { Attribution, FunnelRequest } from './funnel-request.ts'
import {
  binsOf,
  type FunnelStepRow,
  type FunnelTimesRow,
  type FunnelTrendRow,
  filledBins,
  funnelStepRows,
  funnelTrendRow,
  orderedSlots,
  slotValue,
  type TimeBins,
} from './funnel-rows.ts'
import { isSameEntity } from './funnel-runs-sql.ts'
import type { Funnel } from './funnel-sql.ts'
import { scaledUp } from './sampling.ts'

/** Looks up what a funnel refers to, and which values of its breakdown have lines of their own. */
export async function funnelOf(
  needs: InsightNeeds,
  question: Question,
  request: FunnelRequest,
): Promise<{ readonly frame: Frame; readonly funnel: Funnel }> {
  const { steps, exclusions, order, windowMs, breakdown, attribution, actorExpression } = request
  const found = await frameOf(needs, question, request, {
    entities: [...steps, ...exclusions],
    cohortIds: cohortIdsOf(breakdown),
  })
  const frame = { ...found.frame, actorExpression }
  const asked = found.entities.slice(0, steps.length)
  if (order === 'unordered' && breakdown !== null) refuseAmbiguous(asked, attribution)
  const values =
    breakdown === null ? null : await breakdownValuesOf(needs.ask, question, frame, breakdown, asked)
  return {
    frame,
    funnel: {
      steps: asked,
      exclusions: exclusions.map((exclusion, e) => ({
        ...exclusion,
        steps: found.entities[steps.length + e]!.steps,
      })),
      order,
      windowMs,
      breakdown: breakdown === null || values === null ? null : { by: breakdown, values, attribution },
    },
  }
}

/** @throws ApiError 400 for a value of a step that is not one step's own: which of them an event is, no order says */
function refuseAmbiguous(steps: readonly Entity[], attribution: Attribution): void {
  if (attribution.by !== 'step') return
  const own = steps[attribution.step] as Entity
  if (steps.some((other) => other !== own && isSameEntity(other, own)))
    throw invalidInput(
      'breakdown_attribution_value',
      'In any order, a step that stands in the funnel twice has no events of its own. Choose another step, or first_touch, last_touch or all_events.',
    )
}

/** The steps of everybody, or with a breakdown a list of steps per value, the largest first. */
export async function funnelSteps(
  needs: InsightNeeds,
  question: Question,
  request: FunnelRequest,
): Promise<{ readonly slot: string; readonly steps: FunnelStepRow[] }[]> {
  const { frame, funnel } = await funnelOf(needs, question, request)
  const records = await needs.ask<FunnelStepsRecord>(question, (bindings) =>
    funnelStepsSql(frame, funnel, bindings),
  )
  const { breakdown } = request
  const shown = { ...request, steps: funnel.steps }
  if (breakdown === null) return [{ slot: '', steps: funnelStepRows(shown, records[0]) }]
  return orderedSlots(records, breakdown, ({ counts }) => Number(counts[0])).map((record) => ({
    slot: record.slot,
    steps: funnelStepRows(shown, record),
  }))
}

/** The rate of conversion over time, a line per value of the breakdown. */
export async function funnelTrends(
  needs: InsightNeeds,
  question: Question,
  request: FunnelRequest,
): Promise<{ readonly slot: string; readonly startsMs: readonly number[]; readonly row: FunnelTrendRow }[]> {
  const { frame, funnel } = await funnelOf(needs, question, request)
  const { interval, fromStep, toStep, breakdown } = request
  const startsMs = startsOf(frame, interval)
  const records = await needs.ask<FunnelTrendRecord>(question, (bindings) =>
    funnelTrendSql(frame, funnel, startsMs, fromStep, toStep, bindings),
  )
  const row = (some: readonly FunnelTrendRecord[], slot: string) => ({
    slot,
    startsMs,
    row: funnelTrendRow(
      startsMs,
      request,
      frame.zone,
      some,
      breakdown === null ? null : slotValue(slot, breakdown),
    ),
  })
  if (breakdown === null) return [row(records, '')]
  const slots = [...Map.groupBy(records, ({ slot }) => slot)].map(([slot, some]) => ({ slot, some }))
  const size = ({ some }: { some: readonly FunnelTrendRecord[] }) =>
    some.reduce((sum, { reached_from }) => sum + Number(reached_from), 0)
  return orderedSlots(slots, breakdown, size).map(({ slot, some }) => row(some, slot))
}

/** How long conversion took, as a distribution per value of the breakdown. */
export async function funnelTimes(
  needs: InsightNeeds,
  question: Question,
  request: FunnelRequest,
): Promise<{ readonly slot: string; readonly row: FunnelTimesRow }[]> {
  const { frame, funnel } = await funnelOf(needs, question, request)
  const { fromStep, toStep, breakdown } = request
  const records = await timeRecordsOf(needs, question, request, { frame, funnel })
  if (records.length === 0 && breakdown === null)
    return [{ slot: '', row: { bins: [], average_conversion_time: null } }]
  const rows: { slot: string; row: FunnelTimesRow }[] = []
  for (const record of orderedSlots(records, breakdown, ({ actors }) => Number(actors))) {
    const { slot, average } = record
    const bins = funnelTimeBins(record, request)
    const counts = await needs.ask<{ bin: number; actors: number }>(question, (bindings) =>
      funnelBinsSql(frame, funnel, fromStep, toStep, slot, bins, bindings),
    )
    const found = new Map(counts.map(({ bin, actors }) => [Number(bin), scaledUp(Number(actors), request)]))
    rows.push({
      slot,
      row: {
        bins: filledBins(bins, (bin) => found.get(bin) ?? 0),
        average_conversion_time: average,
        ...(breakdown === null ? {} : { breakdown_value: slotValue(slot, breakdown) }),
      },
    })
  }
  return rows
}

/** What is known of the times of every value of the breakdown; none of a value whose last step nobody reached. */
export async function timeRecordsOf(
  needs: InsightNeeds,
  question: Question,
  { fromStep, toStep }: FunnelRequest,
  { frame, funnel }: Awaited<ReturnType<typeof funnelOf>>,
): Promise<readonly FunnelTimesRecord[]> {
  return needs.ask<FunnelTimesRecord>(question, (bindings) =>
    funnelTimesSql(frame, funnel, fromStep, toStep, bindings),
  )
}

export function funnelTimeBins(
  { actors, low, high }: FunnelTimesRecord,
  { binCount }: FunnelRequest,
): TimeBins {
  return binsOf({ size: Number(actors), low, high }, binCount)
}
