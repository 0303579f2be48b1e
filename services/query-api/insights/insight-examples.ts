import type { Correlation } from './funnel-correlation.ts'
import type { FunnelStepRow } from './funnel-rows.ts'
import type { LifecycleRow } from './lifecycle.ts'
import type { PathEdge } from './paths.ts'
import type { RetentionRow } from './retention.ts'
import type { StickinessRow } from './stickiness.ts'
import type { TimingRow } from './timing.ts'
import type { TrendRow } from './trend-rows.ts'

const answered = <Result>(result: Result) => ({
  result,
  is_cached: false,
  last_refresh: '2026-11-22T14:05:00.000Z',
  next_allowed_client_refresh: '2026-11-22T14:06:00.000Z',
  query_status: null,
  timezone: 'Europe/Berlin',
  next: null,
})

const LABELS = ['20-Nov-2026', '21-Nov-2026', '22-Nov-2026']
const DAYS = ['2026-11-20', '2026-11-21', '2026-11-22']
const LAST_DAYS = { labels: LABELS, days: DAYS }
const PAGE_VIEW = { id: 'page_view', type: 'events', order: 0, name: 'page_view' } as const
const TREND_ASKED = { event: 'page_view', math: 'dau', date_from: '-2d' }
const FUNNEL_ASKED = { events: [{ id: 'product_view' }, { id: 'purchase' }], date_from: '-30d' }

const TREND_EXAMPLE = {
  asked: TREND_ASKED,
  answer: answered<TrendRow[]>([
    {
      action: { ...PAGE_VIEW, custom_name: null, math: 'dau' },
      label: 'page_view',
      count: 14,
      data: [5, 5, 4],
      ...LAST_DAYS,
      persons_urls: DAYS.map((day) => ({ url: `…/persons/trends?…&point=${day}` })),
    },
  ]),
}

const STEP = { custom_name: null, type: 'events' } as const

/** Of every insight, by the last part of its path. */
export const INSIGHT_EXAMPLES = {
  trend: TREND_EXAMPLE,
  funnel: {
    asked: FUNNEL_ASKED,
    answer: answered<FunnelStepRow[]>([
      {
        ...STEP,
        action_id: 'product_view',
        name: 'product_view',
        order: 0,
        count: 310,
        average_conversion_time: null,
        median_conversion_time: null,
        converted_people_url: '…/persons/funnel?…&funnel_step=1',
        dropped_people_url: null,
      },
      {
        ...STEP,
        action_id: 'purchase',
        name: 'purchase',
        order: 1,
        count: 118,
        average_conversion_time: 301.2,
        median_conversion_time: 240,
        converted_people_url: '…/persons/funnel?…&funnel_step=2',
        dropped_people_url: '…/persons/funnel?…&funnel_step=-2',
      },
    ]),
  },
  'funnel/correlation': {
    asked: FUNNEL_ASKED,
    answer: answered<{ readonly events: readonly Correlation[]; readonly skewed: boolean }>({
      events: [
        {
          event: 'coupon_used',
          success_count: 40,
          failure_count: 9,
          odds_ratio: 9.5,
          correlation_type: 'success',
        },
      ],
      skewed: false,
    }),
  },
  retention: {
    asked: { target_entity: 'sign_up', returning_entity: 'page_view', period: 'Week', total_intervals: 2 },
    answer: answered<RetentionRow[]>([
      {
        label: 'Week 0',
        date: '2026-11-14T23:00:00.000Z',
        values: [
          { count: 40, percentage: 100, people_url: '…/persons/retention?…&selected_interval=0' },
          { count: 22, percentage: 55, people_url: '…/persons/retention?…&selected_interval=0' },
        ],
        people_url: '…/persons/retention?…&selected_interval=0',
      },
      {
        label: 'Week 1',
        date: '2026-11-21T23:00:00.000Z',
        values: [{ count: 31, percentage: 100, people_url: '…/persons/retention?…&selected_interval=1' }],
        people_url: '…/persons/retention?…&selected_interval=1',
      },
    ]),
  },
  stickiness: {
    asked: { events: [{ id: 'page_view' }], date_from: '-2d' },
    answer: answered<StickinessRow[]>([
      {
        action: PAGE_VIEW,
        label: 'page_view',
        count: 39,
        data: [20, 11, 8],
        labels: ['1 day', '2 days', '3 days'],
        days: [1, 2, 3],
        persons_urls: [1, 2, 3].map((days) => ({ url: `…/persons/stickiness?…&stickiness_days=${days}` })),
      },
    ]),
  },
  lifecycle: {
    asked: { event: 'page_view', date_from: '-2d', toggledLifecycles: ['dormant'] },
    answer: answered<LifecycleRow[]>([
      {
        action: PAGE_VIEW,
        label: 'page_view - dormant',
        status: 'dormant',
        count: -9,
        data: [-2, -3, -4],
        ...LAST_DAYS,
        persons_urls: DAYS.map((day) => ({ url: `…/persons/lifecycle?…&target_date=${day}` })),
      },
    ]),
  },
  path: {
    asked: { include_event_types: ['$screen'], step_limit: 4 },
    answer: answered<PathEdge[]>([
      {
        source: '1_Home',
        target: '2_Cart',
        value: 61,
        average_conversion_time: 42_000,
      },
    ]),
  },
  timing: {
    asked: {
      from_entity: 'add_to_cart',
      to_entity: 'purchase',
      window_interval: 1,
      date_from: '-2d',
    },
    answer: answered<TimingRow>({
      count: 3,
      average: 200,
      median: 180,
      p90: 276,
      min: 120,
      max: 300,
      bins: [
        [120, 2],
        [210, 1],
      ],
      ...LAST_DAYS,
      counts: [2, 0, 1],
      averages: [150, null, 300],
      medians: [150, null, 300],
      p90s: [174, null, 300],
    }),
  },
}
