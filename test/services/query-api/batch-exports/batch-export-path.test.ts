import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import { PLANNED_FAIL_POINTS } from '../../../../services/core/stream/planned-batch.ts'
import type { BackfillView } from '../../../../services/query-api/batch-exports/backfill-view.ts'
import type { RunView } from '../../../../services/query-api/batch-exports/batch-export-view.ts'
import { DELIVERY_FAIL_POINTS } from '../../../../services/s3-sink/deliver-batch.ts'
import { NOW_MS } from '../recording-environment.ts'
import { BUCKET, batchExportWorld, LAKE, TABLE, WINDOW_MS, whole } from './batch-export-world.ts'

// Real timers of the sink: batches, groups and their sessions. A bound against hanging, not a claim about speed.
vi.setConfig({ testTimeout: 480_000 })

const MINUTE_MS = 60_000
const windowStart = (ms: number) => Math.floor(ms / WINDOW_MS) * WINDOW_MS

test('events, files, manifests and runs agree; a window without events has a run, and without ticks too', async () => {
  const shop = await batchExportWorld()
  await shop.produce(7) // Landed before the export, in the window under way.
  const made = await shop.call('POST', '', LAKE)
  expect(JSON.stringify(made)).not.toMatch(/AKIATEST|very-secret/)
  shop.startSink()
  await shop.produce(10)
  await shop.wait(WINDOW_MS)
  await shop.wait(WINDOW_MS) // Nothing but ticks.
  await shop.produce(4)
  await shop.wait(3 * WINDOW_MS) // Two windows without any record.
  await shop.wait(WINDOW_MS) // A manifest of later says that those before are complete.
  await shop.settled()
  expect(shop.delivered()).toEqual(whole(shop.landed))
  const { results } = (await shop.call('GET', '/1/runs')) as { results: RunView[] }
  expect(results.map((run) => [run.status, run.records_completed])).toEqual([
    ['Starting', 0],
    ['Running', 0],
    ['Completed', 0],
    ['Completed', 0],
    ['Completed', 4],
    ['Completed', 0],
    ['Completed', 17],
  ])
  // Page by page, each before the last one of the page before it.
  const paged: RunView[] = []
  for (let before = ''; ; ) {
    const page = (await shop.call('GET', `/1/runs?limit=2${before}`)) as { results: RunView[] }
    if (page.results.length === 0) break
    paged.push(...page.results)
    before = `&before=${page.results.at(-1)?.data_interval_start}`
  }
  expect(paged).toEqual(results)
  const since = `after=${results[4]?.data_interval_start}&before=${results[2]?.data_interval_start}`
  const part = (await shop.call('GET', `/1/runs?${since}`)) as { results: RunView[] }
  expect(part.results).toEqual(results.slice(3, 5))
  const one = (await shop.call('GET', `/1/runs/${results[6]?.id}`)) as RunView & { manifests: string[] }
  // Both partitions, up to the tick that was first in the next window.
  expect(one.cursor).toMatch(/^0:\d+,1:\d+$/)
  expect([one.created_at, results[4]?.created_at]).toEqual(
    [NOW_MS, NOW_MS + 2 * WINDOW_MS].map((ms) => new Date(ms).toISOString()),
  )
  expect(results.slice(0, 2).map((run) => run.finished_at)).toEqual([null, null])
  expect(Date.parse(one.finished_at ?? '')).toBeGreaterThanOrEqual(NOW_MS + WINDOW_MS)
  const named = shop.manifests().filter(({ source }) => source.landed < NOW_MS + WINDOW_MS)
  expect(one.manifests).toHaveLength(named.length)
  expect(named.length).toBeGreaterThanOrEqual(2)
  const empty = (await shop.call('GET', `/1/runs/${results[5]?.id}`)) as { manifests: string[] }
  expect(empty.manifests.length).toBeGreaterThanOrEqual(2)
  await shop.close()
})

test('a reset delivers a run again under other names, and takes its place', async () => {
  const shop = await batchExportWorld()
  await shop.call('POST', '', LAKE)
  shop.startSink()
  await shop.produce(9)
  await shop.wait(WINDOW_MS)
  await shop.produce(3)
  await shop.wait(WINDOW_MS)
  await shop.settled()
  const runs = (await shop.call('GET', '/1/runs')) as { results: RunView[] }
  const old = runs.results.find((run) => run.records_completed === 9)
  const { new_run_id: id } = await shop.call('POST', `/1/runs/${old?.id}/reset`)
  await shop.settled()
  const again = (await shop.call('GET', `/1/runs/${id}`)) as RunView
  expect(again).toMatchObject({ status: 'Completed', records_completed: 9, kind: 'reset' })
  expect(await shop.call('GET', `/1/runs/${old?.id}`)).toMatchObject({ superseded_by: id })
  expect(shop.delivered(({ delivery }) => delivery === again.delivery)).toEqual(
    whole(shop.landed).slice(0, 9),
  )
  await expect(shop.call('POST', `/1/runs/${old?.id}/reset`)).rejects.toThrow('conflict')
  await shop.close()
})

test('intervals that a pause passed over are cancelled, and a backfill gets what landed in them', async () => {
  const shop = await batchExportWorld()
  await shop.call('POST', '', LAKE)
  const sink = shop.startSink()
  await shop.produce(5)
  await shop.wait(WINDOW_MS)
  await shop.settled()
  await shop.call('POST', '/1/pause')
  await sink.bury()
  await shop.produce(4)
  await shop.wait(WINDOW_MS)
  await shop.call('POST', '/1/unpause')
  shop.startSink()
  await shop.produce(3)
  await shop.wait(WINDOW_MS)
  await shop.wait(WINDOW_MS)
  await shop.settled()
  const schedule = async () =>
    ((await shop.call('GET', '/1/runs')) as { results: RunView[] }).results.filter(
      ({ kind }) => kind === 'schedule',
    )
  const runs = await schedule()
  expect(runs.map((run) => [run.status, run.records_completed, run.latest_error])).toEqual([
    ['Starting', 0, null],
    ['Running', 0, null],
    ['Completed', 3, null],
    ['Cancelled', 0, null],
    ['Completed', 5, null],
  ])
  expect(runs[3]?.finished_at).not.toBe(null)
  await expect(shop.call('POST', `/1/runs/${runs[3]?.id}/reset`)).rejects.toThrow('conflict')
  await shop.call('POST', '/1/backfill', {
    start_at: new Date(NOW_MS).toISOString(),
    end_at: new Date(NOW_MS + 2 * WINDOW_MS).toISOString(),
  })
  await shop.settled()
  expect(shop.delivered()).toEqual(whole(shop.landed))
  expect((await schedule()).map(({ status }) => status)).toContain('Cancelled')
  await shop.close()
})

test('an export with an end delivers its last interval whole and nothing after, which a backfill still gets', async () => {
  const shop = await batchExportWorld()
  const iso = (ms: number) => new Date(ms).toISOString()
  const made = await shop.call('POST', '', { ...LAKE, end_at: iso(NOW_MS + MINUTE_MS) })
  expect(made).toMatchObject({ end_at: iso(NOW_MS + WINDOW_MS) })
  shop.startSink()
  await shop.produce(6)
  await shop.wait(WINDOW_MS - 1)
  await shop.produce(3)
  await shop.wait(1)
  await shop.produce(4)
  await shop.wait(WINDOW_MS)
  await vi.waitFor(
    async () => {
      await shop.keep()
      expect(shop.api.control.snapshot.deliveries.size).toBe(0)
    },
    { timeout: 120_000, interval: 50 },
  )
  expect(shop.delivered()).toEqual(whole(shop.landed).slice(0, 9))
  const { results } = (await shop.call('GET', '/1/runs')) as { results: RunView[] }
  expect(results.map((run) => [run.status, run.records_completed])).toEqual([['Completed', 9]])
  await expect(shop.call('GET', `/1/runs/1-${NOW_MS + WINDOW_MS}`)).rejects.toThrow('not_found')
  await expect(shop.call('PATCH', '/1', { end_at: null })).rejects.toThrow('This batch export has ended.')
  expect(await shop.call('PATCH', '/1', { end_at: made.end_at, name: 'Over' })).toMatchObject({
    name: 'Over',
  })
  await shop.call('POST', '/1/backfill', { start_at: iso(NOW_MS), end_at: iso(NOW_MS + 2 * WINDOW_MS) })
  await shop.settled()
  expect(shop.delivered()).toEqual(whole(shop.landed))
  await shop.close()
})

test('a bucket that can be read but not written is told of, on the runs that wait for it alone', async () => {
  const shop = await batchExportWorld()
  await shop.call('POST', '', LAKE)
  shop.startSink()
  await shop.produce(5)
  await shop.wait(WINDOW_MS)
  await shop.wait(WINDOW_MS)
  await shop.settled()
  const seen = async () => {
    const { results } = (await shop.call('GET', '/1/runs')) as { results: RunView[] }
    return [
      (await shop.call('GET', '/1')).latest_error,
      ...results.map((run) => [run.status, run.latest_error]),
    ]
  }
  const fine = [null, ['Starting', null], ['Running', null], ['Completed', null]]
  expect(await seen()).toEqual(fine)
  const puts: string[] = []
  let isRefused = true
  shop.api.bucket.onRequest = (verb, name) => {
    if (verb !== 'put') return
    if (name.endsWith('_write_check')) puts.push(name)
    if (isRefused && name.startsWith(`${BUCKET}/_manifests/`))
      throw new DependencyError('s3', 'denied', `PUT ${name} failed: AccessDenied, 403.`)
  }
  // Nothing is overdue yet, so nothing is tried.
  await shop.api.clock.advance(MINUTE_MS)
  await shop.keep()
  expect([puts, await seen()]).toEqual([[], fine])
  await shop.produce(2)
  await shop.wait(3 * WINDOW_MS)
  await shop.keep()
  const error = `PUT ${BUCKET}/_manifests/_write_check failed: AccessDenied, 403.`
  const starting = Array.from({ length: 4 }, () => ['Starting', error])
  expect(await seen()).toEqual([error, ...starting, ['Running', error], ['Completed', null]])
  expect(puts).toEqual([`${BUCKET}/events/_write_check`, `${BUCKET}/_manifests/_write_check`])
  // Between two tries it stands, and goes with the first one that succeeds.
  await shop.keep()
  expect([puts.length, (await seen())[0]]).toEqual([2, error])
  isRefused = false
  await shop.api.clock.advance(MINUTE_MS)
  await shop.keep()
  expect([puts.length, (await seen())[0]]).toEqual([5, null])
  await shop.close()
})

test('a new export whose bucket cannot be written says so before its first interval is over', async () => {
  const shop = await batchExportWorld()
  let isRefused = true
  shop.api.bucket.onRequest = (verb, name) => {
    if (verb === 'put' && isRefused) throw new DependencyError('s3', 'denied', `PUT ${name} failed: 403.`)
  }
  await shop.call('POST', '', LAKE)
  await shop.keep()
  const first = `PUT ${BUCKET}/events/_write_check failed: 403.`
  expect((await shop.call('GET', '/1')).latest_error).toBe(first)
  const [run] = ((await shop.call('GET', '/1/runs')) as { results: RunView[] }).results
  expect(run).toMatchObject({ status: 'Starting', latest_error: first })
  // Other credentials are tried at once.
  isRefused = false
  await shop.keep()
  expect((await shop.call('GET', '/1')).latest_error).toBe(first)
  await shop.call('PATCH', '/1', { destination: { config: { aws_secret_access_key: 'another' } } })
  await shop.keep()
  expect((await shop.call('GET', '/1')).latest_error).toBe(null)
  // What could be written once is not tried again before something is late.
  isRefused = true
  await shop.api.clock.advance(2 * MINUTE_MS)
  await shop.keep()
  expect((await shop.call('GET', '/1')).latest_error).toBe(null)
  await shop.api.clock.advance(4 * WINDOW_MS)
  await shop.keep()
  expect((await shop.call('GET', '/1')).latest_error).toBe(first)
  isRefused = false
  await shop.api.clock.advance(MINUTE_MS)
  await shop.keep()
  expect((await shop.call('GET', '/1')).latest_error).toBe(null)
  // What is paused is not tried.
  await shop.call('POST', '/1/pause')
  isRefused = true
  await shop.api.clock.advance(2 * MINUTE_MS)
  await shop.keep()
  expect((await shop.call('GET', '/1')).latest_error).toBe(null)
  await shop.close()
})

test('a backfill that is cancelled keeps what it delivered, and another one gets the rest', async () => {
  const shop = await batchExportWorld()
  const iso = (ms: number) => new Date(ms).toISOString()
  await shop.produce(8)
  await shop.wait(WINDOW_MS)
  await shop.produce(6)
  await shop.wait(WINDOW_MS)
  const beganMs = shop.api.clock.now()
  await shop.call('POST', '', LAKE)
  const stretch = { start_at: iso(NOW_MS), end_at: iso(beganMs) }
  const first = (await shop.call('POST', '/1/backfill', stretch)) as BackfillView
  const second = (await shop.call('POST', '/1/backfill', stretch)) as BackfillView
  expect([first.status, first.records_total_count]).toEqual(['waiting', null])
  // One is cancelled while it waits, the other before the sink has begun with it.
  expect(await shop.call('POST', `/1/backfills/${second.id}/cancel`)).toMatchObject({
    status: 'cancelled',
    records_total_count: 0,
    finished_at: iso(beganMs),
  })
  await shop.keep()
  expect((await shop.call('GET', `/1/backfills/${first.id}`)).status).toBe('running')
  expect((await shop.call('POST', `/1/backfills/${first.id}/cancel`)).status).toBe('cancelling')
  await shop.call('POST', `/1/backfills/${first.id}/cancel`)
  const third = (await shop.call('POST', '/1/backfill', stretch)) as BackfillView
  await shop.keep()
  expect((await shop.call('GET', `/1/backfills/${third.id}`)).status).toBe('waiting')
  shop.startSink()
  await shop.wait(WINDOW_MS)
  await shop.settled()
  const { results } = (await shop.call('GET', '/1/backfills')) as { results: BackfillView[] }
  expect(results.map((each) => [each.id, each.status, each.records_completed])).toEqual([
    [third.id, 'completed', 14],
    [second.id, 'cancelled', 0],
    [first.id, 'cancelled', 0],
  ])
  expect(results[0]).toMatchObject({ runs: 2, records_total_count: 14, finished_at: expect.any(String) })
  expect(shop.delivered()).toEqual(whole(shop.landed))
  const runs = ((await shop.call('GET', '/1/runs')) as { results: RunView[] }).results
  const of = ({ delivery }: BackfillView) => runs.filter((run) => run.delivery === delivery)
  expect(of(first).map(({ status }) => status)).toEqual(['Cancelled', 'Cancelled'])
  expect(of(third).map((run) => [run.status, run.records_completed])).toEqual([
    ['Completed', 6],
    ['Completed', 8],
  ])
  expect(await shop.call('GET', `/1/runs/${second.id}-${NOW_MS}`)).toMatchObject({ status: 'Cancelled' })
  await expect(shop.call('POST', `/1/backfills/${third.id}/cancel`)).rejects.toThrow('conflict')
  await shop.close()
})

test('a backfill with nothing to deliver is completed, with a run that says so', async () => {
  const shop = await batchExportWorld()
  await shop.call('POST', '', LAKE)
  shop.startSink()
  await shop.produce(3)
  await shop.wait(WINDOW_MS)
  await shop.settled()
  const made = (await shop.call('POST', '/1/backfill', {
    start_at: new Date(NOW_MS - WINDOW_MS + 1).toISOString(),
    end_at: new Date(NOW_MS + MINUTE_MS).toISOString(),
  })) as BackfillView
  await shop.settled()
  const finished = new Date(shop.api.clock.now()).toISOString()
  expect(await shop.call('GET', `/1/backfills/${made.id}`)).toMatchObject({
    status: 'completed',
    runs: 1,
    records_completed: 0,
    records_total_count: 0,
    finished_at: finished,
  })
  const run = await shop.call('GET', `/1/runs/${made.id}-${NOW_MS - WINDOW_MS}`)
  expect(run).toMatchObject({
    status: 'Completed',
    kind: 'backfill',
    records_completed: 0,
    records_total_count: 0,
    manifests: [],
    cursor: null,
    finished_at: finished,
  })
  const { results } = (await shop.call('GET', '/1/runs')) as { results: RunView[] }
  expect(results.map(({ id }) => id)).toContain(run.id)
  await shop.close()
})

type Step =
  | { readonly do: 'produce'; readonly count: number }
  | { readonly do: 'wait'; readonly ms: number }
  | { readonly do: 'pause' }
  | { readonly do: 'resume' }
  | { readonly do: 'resume-here' }
  | { readonly do: 'keep' }
  | { readonly do: 'backfill'; readonly from: number; readonly to: number }
  | { readonly do: 'cancel' }
  | { readonly do: 'kill'; readonly point: string }

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('produce' as const), count: fc.integer({ min: 1, max: 15 }) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('wait' as const),
      ms: fc.constantFrom(MINUTE_MS, 3 * MINUTE_MS, WINDOW_MS, 2 * WINDOW_MS),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.constantFrom<Step>(
      { do: 'pause' },
      { do: 'resume' },
      { do: 'resume-here' },
      { do: 'keep' },
      { do: 'cancel' },
    ),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('backfill' as const),
      from: fc.integer({ min: 0, max: 90 }),
      to: fc.integer({ min: 1, max: 100 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('kill' as const),
      point: fc.constantFrom(
        ...PLANNED_FAIL_POINTS,
        ...DELIVERY_FAIL_POINTS.filter((name) => name !== 'mid_encode'),
      ),
    }),
  },
)

test.each([
  { name: 'file', body: LAKE, numRuns: 4 },
  { name: 'file, and in the table', body: TABLE, numRuns: 3 },
])(
  'pauses, backfills and kills in any order: in the end every event is in one $name, once',
  async ({ body, numRuns }) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 6, maxLength: 14 }),
        fc.infiniteStream(fc.nat(5)),
        async (steps, luck) => {
          const shop = await batchExportWorld()
          try {
            const beganMs = shop.api.clock.now() - 60 * MINUTE_MS
            await shop.produce(5)
            await shop.wait(2 * WINDOW_MS)
            await shop.call('POST', '', body)
            // One question to the table in six is not answered, or its answer is lost.
            shop.api.tables.onRequest = () => {
              if (luck.next().value === 0) throw new DependencyError('destination', 'unavailable', 'cut')
            }
            let sink = shop.startSink()
            const backfill = (fromMs: number, toMs: number) =>
              shop.call('POST', '/1/backfill', {
                start_at: new Date(fromMs).toISOString(),
                end_at: new Date(toMs).toISOString(),
              })
            for (const each of steps) {
              if (each.do === 'produce') await shop.produce(each.count)
              else if (each.do === 'wait') await shop.wait(each.ms)
              else if (each.do === 'keep') await shop.keep()
              else if (each.do === 'pause') await shop.call('POST', '/1/pause')
              else if (each.do === 'resume') await shop.call('POST', '/1/unpause', { backfill: true })
              else if (each.do === 'resume-here') await shop.call('POST', '/1/unpause')
              else if (each.do === 'backfill') {
                const span = shop.api.clock.now() - beganMs
                const at = (percent: number) => beganMs + Math.floor((span * percent) / 100)
                if (each.from < each.to) await backfill(at(each.from), at(each.to))
              } else if (each.do === 'cancel') {
                const { results } = (await shop.call('GET', '/1/backfills')) as { results: BackfillView[] }
                const last = results.find(({ status }) => status === 'running' || status === 'waiting')
                if (last !== undefined) await shop.call('POST', `/1/backfills/${last.id}/cancel`)
              } else {
                await sink.bury()
                await sink.done.catch(() => {})
                let isHit = false
                const killed = shop.startSink((name) => {
                  if (name !== each.point || isHit) return
                  isHit = true
                  throw new DependencyError('disk', 'corrupt', 'killed')
                })
                await shop.wait(WINDOW_MS)
                await new Promise((resolve) => setTimeout(resolve, 300))
                await killed.bury()
                await killed.done.catch(() => {})
                sink = shop.startSink()
              }
            }
            await shop.call('POST', '/1/unpause', { backfill: true })
            await shop.wait(2 * WINDOW_MS)
            await backfill(0, shop.api.clock.now())
            await shop.wait(2 * WINDOW_MS)
            shop.api.tables.onRequest = null
            await shop.settled()
            expect(shop.delivered()).toEqual(whole(shop.landed))
            if (body === TABLE) {
              expect(shop.loaded()).toEqual(whole(shop.landed))
              const loads = [...shop.api.tables.tables.values()].flatMap((table) => [...table.loads.values()])
              expect(loads.reduce((sum, { delivered }) => sum + delivered, 0)).toBe(shop.landed.length)
            }
            const { results } = (await shop.call('GET', '/1/runs?limit=1000')) as { results: RunView[] }
            const byWindow = new Map<number, number>()
            for (const run of results) {
              const start = Date.parse(run.data_interval_start)
              byWindow.set(start, (byWindow.get(start) ?? 0) + run.records_completed)
            }
            for (const [start, records] of byWindow)
              expect([start, records]).toEqual([
                start,
                shop.landed.filter((ms) => windowStart(ms) === start).length,
              ])
            expect(results.reduce((sum, run) => sum + run.records_completed, 0)).toBe(shop.landed.length)
          } finally {
            await shop.close()
          }
        },
      ),
      { numRuns, seed: 20_261_129, endOnFailure: true },
    )
  },
)
