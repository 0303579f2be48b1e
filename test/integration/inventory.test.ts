import { afterAll, beforeAll, expect, test } from 'vitest'
import { type ApiEngine, openApiEngine } from '../helpers/api-engine.ts'

/** Fewer rows than the dataset has, and more than are needed to see that it has any. */
const cost = {
  executionSecondsMax: 120,
  rowsReadMax: 30_000,
  memoryBytesMax: 1_500_000_000,
  resultBytesMax: 50_000_000,
  streamSecondsMax: 60,
}
let api: ApiEngine
beforeAll(async () => {
  api = await openApiEngine({ cost })
  await api.clickhouse.command(
    'INSERT INTO events (dataset_id, event_id, event, event_time, collector_time, properties, src_offset) ' +
      "SELECT 'shop', toString(number), 'page_view', toDateTime64('2026-11-20 12:00:00', 3) + number / 10, now64(3), '{}', number FROM numbers(100000)",
  )
})
afterAll(() => api.close())

test('whether a dataset has events is told within the cost limits, however many it has', async () => {
  const key = await api.personalKey(['project:read'], ['*'])
  const { results } = (await api.get('/api/datasets', key)).json()
  expect(results.map((one: { id: string; ingested_event: boolean }) => [one.id, one.ingested_event])).toEqual(
    [
      ['blog', false],
      ['free', false],
      ['shop', true],
    ],
  )
  // The limit is one that a question about the events themselves does reach.
  const asked = await api.get('/api/datasets/shop/events?properties=[{"key":"x","value":"y"}]')
  expect(asked.json().code).toBe('query_too_expensive')
})
