import { expect, test, vi } from 'vitest'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import type { RunView } from '../../../../services/query-api/batch-exports/batch-export-view.ts'
import { batchExportWorld, LAKE, OWN_BUCKET, TABLE, WINDOW_MS, whole } from './batch-export-world.ts'

// Real timers of the sink: batches, groups and their sessions. A bound against hanging, not a claim about speed.
vi.setConfig({ testTimeout: 480_000 })

const MINUTE_MS = 60_000

test('events are in the table once, runs say how many, and nobody is shown the password', async () => {
  const shop = await batchExportWorld()
  const made = await shop.call('POST', '', TABLE)
  expect(made.destination.config).toEqual({
    ...TABLE.destination.config,
    password: undefined,
    port: 5432,
    schema: 'public',
    ssl_mode: 'verify-full',
  })
  shop.startSink()
  await shop.produce(9)
  await shop.wait(WINDOW_MS)
  await shop.produce(4)
  await shop.wait(WINDOW_MS)
  await shop.settled()
  expect(shop.loaded()).toEqual(whole(shop.landed))
  expect(shop.api.tables.addresses[0]).toMatchObject({ host: 'db.example.com', password: 'very-secret' })
  const { results } = (await shop.call('GET', '/1/runs')) as { results: RunView[] }
  expect(results.map((run) => [run.status, run.records_completed])).toContainEqual(['Completed', 9])
  // Batches lie in the installation's own bucket, and what was told to the sink has no secret.
  expect(shop.manifests().every(({ bucket }) => bucket === OWN_BUCKET)).toBe(true)
  expect(JSON.stringify([made, shop.api.published, shop.api.lines])).not.toContain('very-secret')
  await shop.close()
})

test('an interval that is delivered again replaces its events, and a second delivery of them is noted as that', async () => {
  const shop = await batchExportWorld()
  await shop.call('POST', '', TABLE)
  shop.startSink()
  await shop.produce(8)
  await shop.wait(WINDOW_MS)
  await shop.wait(WINDOW_MS)
  await shop.settled()
  const [table] = [...shop.api.tables.tables.values()]
  table?.rows.clear()
  const runs = (await shop.call('GET', '/1/runs')) as { results: RunView[] }
  const run = runs.results.find(({ records_completed: records }) => records === 8)
  await shop.call('POST', `/1/runs/${run?.id}/reset`)
  await shop.settled()
  expect(shop.loaded()).toEqual(whole(shop.landed))
  const sum = [...(table?.loads.values() ?? [])].reduce((total, { delivered }) => total + delivered, 0)
  expect(sum).toBe(16)
  await shop.close()
})

test('a table that cannot be written is told of, rests, and holds up no other export; a change is tried at once', async () => {
  const shop = await batchExportWorld()
  let asked = 0
  let isRefused = true
  shop.api.tables.onRequest = () => {
    asked++
    if (isRefused) throw new DependencyError('destination', 'denied', 'The password is wrong.')
  }
  await shop.call('POST', '', TABLE)
  await shop.call('POST', '', LAKE)
  await shop.keep()
  const error = async () => (await shop.call('GET', '/1')).latest_error
  expect([asked, await error()]).toEqual([1, 'The password is wrong.'])
  shop.startSink()
  await shop.produce(6)
  await shop.wait(WINDOW_MS)
  await shop.wait(WINDOW_MS)
  const records = async (path: string) => {
    const { results } = (await shop.call('GET', path)) as { results: RunView[] }
    return results.reduce((sum, run) => sum + run.records_completed, 0)
  }
  await vi.waitFor(
    async () => {
      await shop.keep()
      expect(await records('/2/runs')).toBe(6)
    },
    { timeout: 120_000, interval: 50 },
  )
  expect([asked, await records('/1/runs'), shop.loaded()]).toEqual([2, 0, []])
  await shop.keep()
  expect(asked).toBe(2)
  const told = async () =>
    (await shop.metrics.expose()).split('\n').filter((line) => /^millrace_query_api_batch_export/.test(line))
  expect(await told()).toEqual([
    'millrace_query_api_batch_export_loaded_events_total 0',
    'millrace_query_api_batch_export_failures_total{destination="Postgres",code="denied"} 2',
    'millrace_query_api_batch_exports_waiting_count 1',
  ])
  isRefused = false
  await shop.call('PATCH', '/1', { destination: { config: { password: 'right' } } })
  await shop.settled()
  expect(await error()).toBe(null)
  expect(await told()).toEqual([
    'millrace_query_api_batch_export_loaded_events_total 6',
    'millrace_query_api_batch_export_failures_total{destination="Postgres",code="denied"} 2',
    'millrace_query_api_batch_exports_waiting_count 0',
  ])
  expect([shop.loaded(), await records('/1/runs')]).toEqual([whole(shop.landed), 6])
  expect(shop.api.tables.addresses.at(-1)).toMatchObject({ user: 'loader', password: 'right' })
  await shop.close()
})

test.each(['load', 'commit', 'committed'] as const)(
  'a question whose answer does not come (%s) is asked again, and its batch is there once',
  async (verb) => {
    const shop = await batchExportWorld()
    await shop.call('POST', '', TABLE)
    shop.startSink()
    for (let window = 0; window < 3; window++) {
      await shop.produce(4)
      await shop.wait(WINDOW_MS)
    }
    await vi.waitFor(() => expect(shop.delivered()).toEqual(whole(shop.landed)), { timeout: 30_000 })
    let cut = 0
    shop.api.tables.onRequest = (asked) => {
      if (asked !== verb || cut === 4) return
      cut++
      throw new DependencyError('destination', 'unavailable', 'The connection was cut.')
    }
    for (let look = 1; look <= 4; look++) {
      await shop.keep()
      expect([cut, (await shop.call('GET', '/1')).latest_error]).toEqual([look, 'The connection was cut.'])
      await shop.api.clock.advance(MINUTE_MS)
    }
    await shop.settled()
    expect(shop.loaded()).toEqual(whole(shop.landed))
    const loads = [...shop.api.tables.tables.values()].flatMap((table) => [...table.loads.values()])
    expect(loads.reduce((sum, { delivered }) => sum + delivered, 0)).toBe(shop.landed.length)
    await shop.close()
  },
)

test.each([
  ['gone', () => null],
  ['not the one that its manifest names', (bytes: Buffer) => Buffer.concat([bytes, bytes])],
])('a file that is %s is not loaded', async (words, changed) => {
  const shop = await batchExportWorld()
  await shop.call('POST', '', TABLE)
  shop.startSink()
  await shop.produce(6)
  await shop.wait(WINDOW_MS)
  await shop.wait(WINDOW_MS)
  const stored = shop.api.bucket.buckets.get(OWN_BUCKET)
  await vi.waitFor(() => expect(shop.delivered()).toEqual(whole(shop.landed)), { timeout: 30_000 })
  const kept = new Map(stored)
  for (const [name, { bytes, metadata }] of kept) {
    const next = name.startsWith('batch-exports/') ? changed(bytes) : bytes
    if (next === null) stored?.delete(name)
    else stored?.set(name, { bytes: next, metadata })
  }
  await shop.keep()
  expect((await shop.call('GET', '/1')).latest_error).toContain(words)
  expect(shop.loaded()).toEqual([])
  for (const [name, object] of kept) stored?.set(name, object)
  await shop.settled()
  expect(shop.loaded()).toEqual(whole(shop.landed))
  await shop.close()
})

test('what is done with a table that is not asked for any more ends with it', async () => {
  const shop = await batchExportWorld()
  await shop.call('POST', '', TABLE)
  shop.startSink()
  await shop.produce(4)
  await shop.api.send('DELETE', '/api/datasets/shop/batch_exports/1', await shop.api.personalKey(['*']))
  await shop.wait(WINDOW_MS)
  await shop.keep()
  await shop.api.clock.advance(MINUTE_MS)
  await shop.keep()
  expect([shop.loaded(), shop.api.control.snapshot.deliveries.size]).toEqual([[], 0])
  await shop.close()
})
