import { type Static, Type } from '@sinclair/typebox'
import type { DatasetSettingsRow } from '../../core/metadata/metadata-tables.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { readBody } from '../http/read-body.ts'
import { type Answer, DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import { FILTER_LIMITS, FILTER_TYPES, readFilterTree } from '../query/property-filters.ts'
import type { DatasetSettingsStore } from './dataset-settings-store.ts'

const Settings = Type.Object(
  {
    test_account_filters: Type.Array(Type.Unknown(), {
      maxItems: FILTER_LIMITS.filters,
      description:
        'Filters, as insights take them, that every event passes with `filter_test_accounts=true`.',
    }),
  },
  { additionalProperties: false },
)
const Change = Type.Partial(Settings, { additionalProperties: false })

const View = Type.Object({
  ...Settings.properties,
  updated_at: Type.Union([Type.String(), Type.Null()]),
  updated_by: Type.Union([Type.String(), Type.Null()], { description: 'Null when nobody has set anything.' }),
})

const EXAMPLE = {
  test_account_filters: [{ key: 'email', type: 'person', operator: 'not_icontains', value: '@example.com' }],
}
const EXAMPLE_VIEW = {
  ...EXAMPLE,
  updated_at: '2026-11-28T09:00:00.000Z',
  updated_by: 'personal_api_key:5f0c1a9be2d34c7788aa0b1c',
}

/** What people set for a dataset; there is always one such object, and it cannot be deleted. */
export function settingsRoutes(store: DatasetSettingsStore, clock: Pick<Clock, 'now'>): DatasetRoute[] {
  async function put(call: DatasetCall, set: Partial<Static<typeof Settings>>): Promise<Answer> {
    const { test_account_filters: filters = [] } = set
    readFilterTree(filters, 'test_account_filters', FILTER_TYPES)
    const row = {
      dataset_id: call.question.dataset.id,
      test_account_filters: JSON.stringify(filters),
      updated_at: clock.now(),
      updated_by: call.principal.name,
    }
    await store.put(row)
    return { body: present(row) }
  }

  const common = {
    about: 'dataset',
    tag: 'settings',
    path: `${DATASET_PATH}/settings`,
    limit: 'default',
    success: { status: 200, description: 'As they are now.', schema: View },
  } as const
  const params = { dataset: 'shop' }
  const write = { access: { object: 'project', action: 'write' } } as const
  const example = { params, body: EXAMPLE, answer: EXAMPLE_VIEW }
  return [
    {
      ...common,
      method: 'GET',
      summary: 'What is set for the dataset.',
      access: { object: 'project', action: 'read' },
      example: { params, answer: EXAMPLE_VIEW },
      answer: async ({ question }) => ({ body: present(await store.get(question.dataset.id)) }),
    },
    {
      ...common,
      ...write,
      method: 'PUT',
      summary: 'Replaces all of it: what is left out is as if nobody had set it.',
      body: Change,
      example,
      answer: (call) => put(call, readBody(Change, call.body)),
    },
    {
      ...common,
      ...write,
      method: 'PATCH',
      summary: 'Changes what is named.',
      body: Change,
      example,
      answer: async (call) => {
        const change = readBody(Change, call.body)
        const { test_account_filters } = present(await store.get(call.question.dataset.id))
        return put(call, { test_account_filters, ...change })
      },
    },
  ]
}

function present(row: DatasetSettingsRow | null) {
  return {
    test_account_filters: row === null ? [] : (JSON.parse(row.test_account_filters) as unknown[]),
    updated_at: row === null ? null : new Date(row.updated_at).toISOString(),
    updated_by: row === null ? null : row.updated_by,
  }
}
