import type { RetentionPerson } from './activity-people.ts'
import type { PersonRow } from './people.ts'

/** Questions that work about the people behind a number, by the last part of their path. */
export const PEOPLE_EXAMPLES = {
  trends: { event: 'page_view', date_from: '-2d', point: '2026-11-22' },
  funnel: { events: [{ id: 'product_view' }, { id: 'purchase' }], funnel_step: 2 },
  'funnel/correlation': {
    events: [{ id: 'product_view' }, { id: 'purchase' }],
    funnel_correlation_event: 'add_to_cart',
    funnel_correlation_person_converted: true,
  },
  stickiness: { events: [{ id: 'page_view' }], date_from: '-6d', stickiness_days: 7 },
  lifecycle: { event: 'page_view', lifecycle_type: 'returning', target_date: '2026-11-22' },
  path: { include_event_types: ['$screen'], path_end_key: '2_Cart' },
  timing: { from_entity: 'add_to_cart', to_entity: 'purchase' },
} as const

const PERSON: PersonRow = {
  type: 'person',
  id: '0b0d6c0e-5d0f-5a63-9a4e-1f5a3c7e2b41',
  uuid: '0b0d6c0e-5d0f-5a63-9a4e-1f5a3c7e2b41',
  name: 'ada@example.com',
  distinct_ids: ['user-2'],
  properties: { email: 'ada@example.com' },
  properties_as_of: 'now',
  created_at: '2026-11-03T09:12:44.120Z',
  value_at_data_point: 3,
}

const REFRESHED = { is_cached: false, last_refresh: '2026-11-22T14:05:00.000Z' }

export const PEOPLE_LIST_EXAMPLE = {
  results: [{ people: [PERSON], count: 1, value: 3 }],
  next: null,
  missing_persons: 0,
  ...REFRESHED,
}

const RETURNED: RetentionPerson = { person: PERSON, appearances: [1, 1, 0, 1] }

export const RETENTION_PEOPLE_EXAMPLE = {
  asked: {
    target_entity: 'sign_up',
    returning_entity: 'page_view',
    period: 'Week',
    total_intervals: 4,
    selected_interval: 0,
  },
  answer: { result: [RETURNED], next: null, ...REFRESHED },
}
