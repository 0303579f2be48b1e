import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { builtInTemplates } from '../../services/query-api/dashboards/built-in-templates.ts'
import { pointsOf } from '../../services/query-api/dashboards/result-points.ts'
import type { Results } from '../../services/query-api/results/results.ts'
import { underDashboard } from '../../services/query-api/saved-insights/insight-filters.ts'
import { savedResult } from '../../services/query-api/saved-insights/saved-result.ts'
import { type InsightEngine, NOW_MS, openInsightEngine, resultsOf } from '../helpers/insight-engine.ts'
import { EVENTS_ALONE, type Happening, type History } from '../reference/history.ts'

const HOUR_MS = 3_600_000
const NAMES = ['page_view', 'sign_up', 'product_view', 'add_to_cart', 'purchase']

/** Five people who go all the way, one step an hour, on each of the last two days. */
const events = [1, 2, 3, 4, 5].flatMap((person) =>
  [0, 24].flatMap((ago) =>
    NAMES.map(
      (event, step): Omit<Happening, 'offset'> => ({
        event,
        distinctId: `p${person}`,
        session: `s${person}-${ago}`,
        groups: {},
        timeMs: NOW_MS - (ago + 6 - step) * HOUR_MS,
        partition: 0,
        url: 'https://shop.example.com/',
        properties: {},
      }),
    ),
  ),
)
const history: History = {
  dataset: `templates_${randomBytes(4).toString('hex')}`,
  zone: 'Europe/Vienna',
  events: events.map((event, offset) => ({ ...event, offset })),
  ...EVENTS_ALONE,
}

let engine: InsightEngine
let results: Results
beforeAll(async () => {
  engine = await openInsightEngine()
  await engine.store([history])
  results = resultsOf(engine)
})
afterAll(() => engine.close())

const tiles = [...builtInTemplates()].flatMap(([name, { tiles, dashboard_filters: over = {} }]) =>
  tiles.flatMap((tile) =>
    tile.type === 'INSIGHT'
      ? [[`${name}: ${tile.name}`, underDashboard(tile.filters ?? {}, over)] as const]
      : [],
  ),
)

test.each(tiles)('%s has numbers of people who go all the way', async (_, filters) => {
  const question = engine.questionOf(history)
  const refresh = { refresh: 'blocking', clientQueryId: null } as const
  const { result } = await savedResult(results, question, { of: 'insight', filters }, refresh, null)
  const told = pointsOf(result)
  // Nobody goes anywhere from a page by itself: these events are no page views of browsers.
  if (filters.insight === 'PATHS') return
  expect(told.some(({ value }) => value !== null && value > 0)).toBe(true)
  expect(JSON.stringify(result)).not.toContain('/persons/')
  expect((await savedResult(results, question, { of: 'insight', filters }, refresh, null)).isCached).toBe(
    true,
  )
})
