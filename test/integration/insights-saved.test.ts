import { afterAll, beforeAll, expect, test } from 'vitest'
import type { Metadata } from '../../services/core/metadata/metadata.ts'
import { migrateMetadata } from '../../services/core/metadata/metadata-migrations.ts'
import type { ActionRow } from '../../services/core/metadata/metadata-tables.ts'
import { openSqliteMetadata } from '../../services/core/metadata/sqlite-metadata.ts'
import { actionCount } from '../../services/query-api/actions/action-count.ts'
import { actionFamily } from '../../services/query-api/actions/action-family.ts'
import type { ActionStep } from '../../services/query-api/actions/action-step.ts'
import { createActionStore } from '../../services/query-api/actions/action-store.ts'
import { createCohortStore } from '../../services/query-api/cohorts/cohort-store.ts'
import type { InsightNeeds } from '../../services/query-api/insights/frame.ts'
import { INSIGHTS } from '../../services/query-api/insights/insight-questions.ts'
import { createStoredDefinitions } from '../../services/query-api/insights/stored-definitions.ts'
import { trend } from '../../services/query-api/insights/trend.ts'
import { readTrendRequest } from '../../services/query-api/insights/trend-request.ts'
import type { OwnColumns } from '../../services/query-api/objects/object-store.ts'
import { createDatasetSettingsStore } from '../../services/query-api/settings/dataset-settings-store.ts'
import { type InsightEngine, NOW_MS, openInsightEngine } from '../helpers/insight-engine.ts'
import { EVENTS_ALONE, type Happening, type History } from '../reference/history.ts'

const DAY_MS = 86_400_000
const START_MS = Date.parse('2026-11-01T10:00:00Z')
const button = (over: object) => [
  { tag_name: 'span', $el_text: 'Buy now' },
  { tag_name: 'button', $el_text: 'Buy now', attr__href: '/pay', attr__name: 'buy', ...over },
]

let offset = 0
const happened = (
  event: string,
  distinctId: string,
  day: number,
  over: Partial<Happening> = {},
): Happening => ({
  event,
  distinctId,
  timeMs: START_MS + day * DAY_MS,
  partition: 0,
  offset: offset++,
  session: null,
  groups: {},
  url: null,
  properties: {},
  ...over,
})

const history: History = {
  dataset: 'shop',
  zone: 'UTC',
  events: [
    happened('$pageview', 'ann', 0, { url: 'https://x.example/Checkout/1', properties: { plan: 'pro' } }),
    happened('$pageview', 'bob', 0, { url: 'https://x.example/checkout', properties: { plan: 'free' } }),
    happened('$pageview', 'cat', 1, { url: 'https://x.example/about' }),
    happened('help', 'ann', 0.5),
    happened('$pageview', 'ann', 0.007, { url: 'https://x.example/pay' }),
    happened('purchase', 'ann', 1),
    happened('purchase', 'ann', 2),
    happened('purchase', 'bob', 3, { properties: { staff: true } }),
    happened('$autocapture', 'dan', 1, { properties: { $elements: button({}) } }),
    happened('$autocapture', 'eve', 1, { properties: { $elements: button({ attr__href: '/help' }) } }),
    happened('purchase', 'old', -120),
  ],
  ...EVENTS_ALONE,
}

let engine: InsightEngine
let metadata: Metadata
let needs: InsightNeeds
beforeAll(async () => {
  engine = await openInsightEngine()
  await engine.store([history])
  metadata = openSqliteMetadata(':memory:')
  await migrateMetadata(metadata)
  const stores = {
    actions: createActionStore(metadata),
    cohorts: createCohortStore(metadata),
    settings: createDatasetSettingsStore(metadata),
  }
  needs = { ...engine.needs, definitions: createStoredDefinitions(stores) }
})
afterAll(async () => {
  await metadata.close()
  await engine.close()
})

let made = 0
async function action(...steps: ActionStep[]): Promise<number> {
  const columns = actionFamily.columnsOf({ ...actionFamily.absent, name: `action ${made++}`, steps })
  const row = await createActionStore(metadata).create('shop', columns as OwnColumns<ActionRow>, NOW_MS, 'me')
  return row?.id as number
}

const RANGE = { date_from: '2026-11-01', date_to: '2026-11-05' }

/** Who does the action, by the trend of its people. */
async function total(id: number): Promise<number> {
  const asked = readTrendRequest({ ...RANGE, actions: JSON.stringify([{ id }]) })
  return (await trend(needs, engine.questionOf(history), asked))[0]?.row.count as number
}

test.each([
  ['no step', [], 0],
  ['a step without conditions', [{}], 10],
  ['an event', [{ event: 'purchase' }], 3],
  ['either step', [{ event: 'purchase' }, { event: '$autocapture' }], 5],
  ['an address that contains', [{ event: '$pageview', url: '/checkout' }], 2],
  ['an address exactly', [{ url: 'https://x.example/checkout', url_matching: 'exact' }], 1],
  ['an address by expression', [{ url: '/[Cc]heckout/\\d$', url_matching: 'regex' }], 1],
  ['an expression that is none', [{ url: '(', url_matching: 'regex' }], 0],
  ['all conditions at once', [{ url: '/checkout', properties: [{ key: 'plan', value: 'pro' }] }], 1],
  [
    'an expression',
    [{ properties: [{ type: 'hogql', key: "properties.plan = 'pro' or event = 'help'" }] }],
    2,
  ],
  ['a text of an element', [{ text: 'Buy now' }], 2],
  ['an element that fits a selector', [{ selector: 'button[name="buy"] > span' }], 2],
  ['a part of a text', [{ text: 'buy', text_matching: 'contains' }], 2],
  ['a link', [{ href: '/pay' }], 1],
  ['a tag and a name', [{ tag_name: 'button', name: 'buy' }], 2],
  ['a tag that nothing has', [{ tag_name: 'a' }], 0],
] as const)('an action of %s is asked about', async (_, steps, expected) => {
  expect(await total(await action(...(steps as unknown as ActionStep[])))).toBe(expected)
})

test('every insight answers about an action what it answers about the event that it stands for', async () => {
  const id = await action({ event: 'purchase' })
  const view = await action({ event: '$pageview' })
  const asAction = (one: number) => JSON.stringify({ id: one, type: 'actions', name: 'x' })
  const asEvent = (one: string) => JSON.stringify({ id: one, type: 'events', name: 'x' })
  const series = (type: 'events' | 'actions', ...ids: (string | number)[]) => ({
    [type]: JSON.stringify(ids.map((one) => ({ id: one, name: 'x' }))),
  })
  const funnel = (type: 'events' | 'actions', ...ids: (string | number)[]) =>
    JSON.stringify({ [type]: ids.map((one) => ({ id: one, name: 'x' })) })
  const asked: Readonly<Record<string, readonly [Record<string, string>, Record<string, string>]>> = {
    trend: [series('actions', id), series('events', 'purchase')],
    funnel: [series('actions', view, id), series('events', '$pageview', 'purchase')],
    'funnel/correlation': [series('actions', view, id), series('events', '$pageview', 'purchase')],
    retention: [
      { target_entity: asAction(view), returning_entity: asAction(id), total_intervals: '5' },
      { target_entity: asEvent('$pageview'), returning_entity: asEvent('purchase'), total_intervals: '5' },
    ],
    stickiness: [series('actions', id), series('events', 'purchase')],
    lifecycle: [series('actions', id), series('events', 'purchase')],
    path: [
      {
        funnel_paths: 'funnel_path_after_step',
        funnel_filter: funnel('actions', view),
      },
      {
        funnel_paths: 'funnel_path_after_step',
        funnel_filter: funnel('events', '$pageview'),
      },
    ],
    timing: [
      { from_entity: asAction(view), to_entity: asAction(id) },
      { from_entity: asEvent('$pageview'), to_entity: asEvent('purchase') },
    ],
  }
  for (const { path, result } of INSIGHTS) {
    const answers: string[] = []
    for (const parameters of asked[path] as readonly Record<string, string>[]) {
      const range = { date_from: '2026-11-01', date_to: '2026-11-05' }
      const answer = await result(needs, engine.questionOf(history), { ...range, ...parameters }, () => '')
      answers.push(
        JSON.stringify(answer, (key, value) => (/^(action_id|id|type)$/.test(key) ? undefined : value)),
      )
    }
    expect([path, answers[0]]).toEqual([path, answers[1]])
    // Not two answers of nothing.
    expect([path, answers[0]]).toEqual([path, expect.stringMatching(/[1-9]/)])
  }
})

test('an action is called as it is saved where the question gives it no name', async () => {
  const id = await action({ event: 'purchase' })
  const named = async (entity: object) =>
    (
      await trend(
        needs,
        engine.questionOf(history),
        readTrendRequest({ ...RANGE, actions: JSON.stringify([entity]) }),
      )
    )[0]?.row.label
  expect(await named({ id })).toMatch(/^action \d+$/)
  expect(await named({ id, name: 'Sale' })).toBe('Sale')
})

test('what is counted of an action is what happened since three months ago', async () => {
  expect(await actionCount(needs, engine.questionOf(history), await action({ event: 'purchase' }))).toBe(3)
})

test('a deleted action and one of another dataset cannot be asked about', async () => {
  const store = createActionStore(metadata)
  const deleted = await action({ event: 'purchase' })
  await store.update('shop', deleted, { deleted: 1 }, NOW_MS, null)
  await expect(total(deleted)).rejects.toMatchObject({ status: 400, body: { attr: 'actions__id' } })
  const columns = actionFamily.columnsOf({ ...actionFamily.absent, name: 'theirs' }) as OwnColumns<ActionRow>
  for (let i = 0; i < 50; i++) await store.create('blog', { ...columns, name: `theirs ${i}` }, NOW_MS, 'me')
  await expect(total(50)).rejects.toMatchObject({ status: 400, body: { attr: 'actions__id' } })
})

test('test accounts are what the settings of the dataset say', async () => {
  const purchases = async (query: Record<string, string> = {}) =>
    (
      await trend(
        needs,
        engine.questionOf(history),
        readTrendRequest({ ...RANGE, event: 'purchase', ...query }),
      )
    )[0]?.row.count
  expect(await purchases({ filter_test_accounts: 'true' })).toBe(3)
  await createDatasetSettingsStore(metadata).put({
    dataset_id: 'shop',
    test_account_filters: JSON.stringify([{ key: 'staff', operator: 'is_not', value: 'true' }]),
    updated_at: NOW_MS,
    updated_by: 'me',
  })
  expect(await purchases({ filter_test_accounts: 'true' })).toBe(2)
  await createDatasetSettingsStore(metadata).put({
    dataset_id: 'shop',
    test_account_filters: JSON.stringify([
      { type: 'hogql', key: "distinct_id in ('bob', 'x')", value: null },
    ]),
    updated_at: NOW_MS,
    updated_by: 'me',
  })
  expect(await purchases({ filter_test_accounts: 'true' })).toBe(1)
  expect(await purchases()).toBe(3)
})
