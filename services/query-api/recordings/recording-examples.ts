/** A recorded session, as the documentation shows it. */
export const RECORDING_EXAMPLE = {
  id: '0199aa10-5f7e-7c3a-b1d2-3e4f5a6b7c8d',
  distinct_id: 'user-2',
  viewed: false,
  recording_duration: 184.2,
  active_seconds: 61,
  start_time: '2026-11-21T14:00:00.000Z',
  end_time: '2026-11-21T14:03:04.200Z',
  click_count: 7,
  keypress_count: 23,
  console_log_count: 2,
  console_warn_count: 0,
  console_error_count: 1,
  start_url: 'shop.example/cart',
  person: {
    type: 'person',
    id: '5f0c1a9b-e2d3-5c77-88aa-0b1c2d3e4f50',
    uuid: '5f0c1a9b-e2d3-5c77-88aa-0b1c2d3e4f50',
    name: 'ann@example.com',
    distinct_ids: ['user-2'],
    properties: { email: 'ann@example.com' },
    properties_as_of: 'now',
    created_at: '2026-11-01T08:00:00.000Z',
  },
  storage: 'object_storage',
} as const

/** What was recorded of it, by window. */
export const SNAPSHOT_EXAMPLE = {
  '0199aa10-5f80-7d11-9c00-112233445566': [
    {
      type: 4,
      timestamp: 1_795_269_600_000,
      data: { href: 'shop.example/cart', width: 1280, height: 720 },
    },
    { type: 3, timestamp: 1_795_269_601_500, data: { source: 2, type: 2, id: 42, x: 610, y: 300 } },
  ],
} as const
