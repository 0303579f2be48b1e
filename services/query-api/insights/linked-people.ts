import type { Correlation } from './funnel-correlation.ts'
import type { FunnelStepRow, FunnelTimesRow, FunnelTrendRow } from './funnel-rows.ts'
import { OTHER_SLOT, OWN_SLOT } from './funnel-sql.ts'
import type { LifecycleRow } from './lifecycle.ts'
import { LINKS_MAX, lineSelectors, type PeopleLink } from './people-link.ts'
import type { RetentionRow } from './retention.ts'
import type { StickinessRow } from './stickiness.ts'
import type { TrendAnswerRow } from './trend.ts'
import type { TrendRow } from './trend-rows.ts'

const instant = (ms: number) => new Date(ms).toISOString()

/** Every line with the addresses of the people behind its points; without them where these would be too many. */
export function linkedTrend(
  rows: readonly TrendAnswerRow[],
  isBrokenDown: boolean,
  link: PeopleLink,
): TrendRow[] {
  const points = rows.reduce((sum, { startsMs }) => sum + startsMs.length, 0)
  return rows.map(({ row, line, startsMs, order }) => {
    if (order === null || points > LINKS_MAX) return row
    const common = {
      entity_order: String(order),
      ...periodSelector(row),
      ...lineSelectors(isBrokenDown ? line : null),
    }
    const isOne = row.aggregated_value !== undefined
    return {
      ...row,
      persons_urls: startsMs.map((ms) => ({ url: link(isOne ? common : { ...common, point: instant(ms) }) })),
    }
  })
}

/** What tells the period before apart. */
function periodSelector({ compare_label: period }: Pick<TrendRow, 'compare_label'>): Record<string, string> {
  return period === 'previous' ? { compare_label: period } : {}
}

/** The line that a slot stands for; null without a breakdown. */
function lineOf(slot: string) {
  if (slot === '') return null
  return { value: slot.slice(OWN_SLOT.length), isOther: slot === OTHER_SLOT }
}

export function linkedSteps(
  slot: string,
  steps: readonly FunnelStepRow[],
  link: PeopleLink,
): FunnelStepRow[] {
  const of = (step: number) => link({ funnel_step: String(step), ...lineSelectors(lineOf(slot)) })
  return steps.map((row, index) => ({
    ...row,
    converted_people_url: of(index + 1),
    dropped_people_url: index === 0 ? null : of(-index - 1),
  }))
}

export function linkedFunnelTrend(
  line: { readonly slot: string; readonly startsMs: readonly number[]; readonly row: FunnelTrendRow },
  link: PeopleLink,
) {
  if (line.startsMs.length > LINKS_MAX) return line.row
  const of = (ms: number, dropOff: string) => ({
    url: link({ entrance_period_start: instant(ms), drop_off: dropOff, ...lineSelectors(lineOf(line.slot)) }),
  })
  return {
    ...line.row,
    persons_urls: line.startsMs.map((ms) => of(ms, 'false')),
    dropped_persons_urls: line.startsMs.map((ms) => of(ms, 'true')),
  }
}

/** Every value's bins with the addresses of the people in them; without them where these would be too many. */
export function linkedFunnelTimes(
  rows: readonly { readonly slot: string; readonly row: FunnelTimesRow }[],
  link: PeopleLink,
): FunnelTimesRow[] {
  const bins = rows.reduce((sum, { row }) => sum + row.bins.length, 0)
  return rows.map(({ slot, row }) =>
    bins > LINKS_MAX
      ? row
      : {
          ...row,
          persons_urls: row.bins.map(([start]) => ({
            url: link({ bin_start: String(start), ...lineSelectors(lineOf(slot)) }),
          })),
        },
  )
}

export function linkedCorrelation(rows: readonly Correlation[], link: PeopleLink): Correlation[] {
  return rows.map((row) => {
    const of = (converted: boolean) =>
      link({
        funnel_correlation_event: row.event,
        funnel_correlation_person_converted: String(converted),
      })
    return { ...row, success_people_url: of(true), failure_people_url: of(false) }
  })
}

export function linkedRetention(rows: readonly RetentionRow[], link: PeopleLink): RetentionRow[] {
  return rows.map((row, index) => {
    const url = link({ selected_interval: String(index) })
    return { ...row, values: row.values.map((value) => ({ ...value, people_url: url })), people_url: url }
  })
}

export function linkedStickiness(rows: readonly StickinessRow[], link: PeopleLink): StickinessRow[] {
  return rows.map((row) => ({
    ...row,
    persons_urls: row.days.map((days) => ({
      url: link({
        entity_order: String(row.action.order),
        stickiness_days: String(days),
        ...periodSelector(row),
      }),
    })),
  }))
}

export function linkedLifecycle(
  rows: readonly LifecycleRow[],
  startsMs: readonly number[],
  link: PeopleLink,
): LifecycleRow[] {
  return rows.map((row) => ({
    ...row,
    persons_urls: startsMs.map((ms) => ({
      url: link({ lifecycle_type: row.status, target_date: instant(ms) }),
    })),
  }))
}
