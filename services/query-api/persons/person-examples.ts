import type { PersonView } from './person-list.ts'

export const EXAMPLE_PERSON: PersonView = {
  type: 'person',
  id: '0b0d6c0e-5d0f-5a63-9a4e-1f5a3c7e2b41',
  uuid: '0b0d6c0e-5d0f-5a63-9a4e-1f5a3c7e2b41',
  name: 'ada@example.com',
  distinct_ids: ['user-2'],
  distinct_id_count: 1,
  properties: { email: 'ada@example.com', plan: 'pro' },
  properties_as_of: 'now',
  created_at: '2026-11-03T09:12:44.120Z',
  is_identified: true,
}
