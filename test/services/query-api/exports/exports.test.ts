import fc from 'fast-check'
import { expect, test } from 'vitest'
import { migrateMetadata } from '../../../../services/core/metadata/metadata-migrations.ts'
import { openSqliteMetadata } from '../../../../services/core/metadata/sqlite-metadata.ts'
import { createLogger } from '../../../../services/core/runtime/logger.ts'
import { contentKey } from '../../../../services/query-api/exports/export-content.ts'
import { createExportRunner } from '../../../../services/query-api/exports/export-runner.ts'
import { createExportSources } from '../../../../services/query-api/exports/export-source.ts'
import { createExportStore, EXPORTS_MAX } from '../../../../services/query-api/exports/export-store.ts'
import type { DatasetRoute } from '../../../../services/query-api/http/route.ts'
import { createManualClock, settle } from '../../../helpers/manual-clock.ts'
import { type AskedQuestion, NOW_MS, recordingEnvironment } from '../recording-environment.ts'

const record = (i: number) => ({
  event_id: `e${i}`,
  event: '=page_view',
  distinct_id: null,
  user_id: null,
  event_time_ms: 1_000 * i,
  src_partition: 0,
  src_offset: i,
  properties: '{}',
  set: null,
  set_once: null,
  extra: null,
})
const EXPORTS = '/api/datasets/shop/exports'

async function serving(answer?: (asked: AskedQuestion) => readonly unknown[]) {
  const api = recordingEnvironment(answer)
  const key = await api.personalKey(['export:write', 'query:read', 'insight:read', 'dashboard:read'])
  return {
    ...api,
    key,
    make: (body: unknown, by = key) => api.send('POST', EXPORTS, by, body),
    begin: () => api.app.listen({ port: 0, host: '127.0.0.1' }),
    content: (id: number, by = key) => api.get(`${EXPORTS}/${id}/content?download=true`, by),
    /** As it is when it has ended. */
    async ended(id: number) {
      for (let look = 0; look < 500; look++) {
        const { body } = await api.send('GET', `${EXPORTS}/${id}`, key)
        if (body.status === 'completed' || body.status === 'failed') return body
        await api.clock.advance(1_000)
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
      throw new Error('It did not end.')
    },
  }
}

const EVENTS = { export_context: { path: 'events?event=buy' }, export_format: 'text/csv' }

test('a list becomes a file: made, waited for, read, removed', async () => {
  const api = await serving(({ sql }) => (sql.includes('FORMAT') ? [record(1), record(2)] : []))
  const made = await api.make(EVENTS)
  expect([made.status, made.body]).toMatchObject([
    201,
    { id: 1, status: 'pending', has_content: false, filename: 'shop-events.csv', rows: null, error: null },
  ])
  expect((await api.content(1)).json()).toMatchObject({ code: 'not_ready' })
  await api.begin()
  expect(await api.ended(1)).toMatchObject({ status: 'completed', rows: 2, has_content: true, error: null })
  const file = await api.content(1)
  expect(file.body).toBe(
    "id,timestamp,event,distinct_id,properties\r\ne1,1970-01-01T00:00:01.000Z,'=page_view,,{}\r\ne2,1970-01-01T00:00:02.000Z,'=page_view,,{}\r\n",
  )
  expect(file.headers).toMatchObject({
    'content-length': String(file.body.length),
    'content-disposition': 'attachment; filename="shop-events.csv"',
  })
  const streamed = api.asked.find(({ sql }) => sql.includes('FORMAT'))
  expect(streamed?.sql).not.toContain('LIMIT')
  expect(Object.values(streamed?.parameters ?? {})).toContain('buy')
  expect((await api.send('GET', EXPORTS, api.key)).body).toMatchObject({ count: 1, results: [{ id: 1 }] })
  expect((await api.send('DELETE', `${EXPORTS}/1`, api.key)).status).toBe(204)
  expect((await api.content(1)).statusCode).toBe(404)
  expect(await api.env.exports.content.open(contentKey({ dataset_id: 'shop', id: 1 }, 1))).toBe(null)
  await api.app.close()
})

test('a list that is longer than a page is exported whole', async () => {
  const ids = Array.from({ length: 2_345 }, (_, at) => `user-${at}`)
  const api = await serving(({ sql, parameters }) => {
    if (sql.includes('AS actors')) return [{ actors: ids.length, value: ids.length, missing: 0 }]
    if (!sql.includes('SELECT actor, amount')) return []
    const [offset = 0, limit = 0] = Object.values(parameters).map(Number).reverse()
    return ids.slice(offset, offset + limit).map((actor) => ({ actor, amount: 1 }))
  })
  const key = await api.personalKey(['*'])
  const path = 'persons/trends?event=buy&date_from=-2d&limit=5'
  for (const format of ['text/csv', 'application/json'])
    await api.make({ export_context: { path }, export_format: format }, key)
  await api.begin()
  for (const id of [1, 2])
    expect(await api.ended(id)).toMatchObject({ status: 'completed', rows: ids.length })
  expect((await api.content(1, key)).body.split('\r\n')).toHaveLength(ids.length + 2)
  const { results } = (await api.content(2, key)).json()
  expect(results.map(({ distinct_ids: own }: { distinct_ids: string[] }) => own[0])).toEqual(ids)
  await api.app.close()
})

test('an insight is exported as JSON, with its parameters in the body of the context', async () => {
  const api = await serving()
  const key = await api.personalKey(['*'])
  const context = { path: '/api/datasets/shop/insights/lifecycle/', body: { event: 'a', date_from: '-1d' } }
  expect((await api.make({ export_context: context, export_format: 'application/json' }, key)).status).toBe(
    201,
  )
  await api.begin()
  expect(await api.ended(1)).toMatchObject({ status: 'completed', filename: 'shop-insights-lifecycle.json' })
  expect((await api.content(1, key)).json()).toMatchObject({ result: [{ status: 'new' }, {}, {}, {}] })
  await api.app.close()
})

test('a saved insight and a dashboard are exported by their numbers, with links to where they were asked for', async () => {
  const day = { start_ms: String(Date.parse('2026-11-20T23:00:00Z')), line: '', is_other: 0, amount: '5' }
  const api = await serving(({ sql }) => (sql.includes('AS amount') ? [day] : []))
  const all = await api.personalKey(['*'], ['shop', 'blog'])
  const filters = { events: [{ id: 'purchase' }], date_from: '-2d' }
  await api.send('POST', '/api/datasets/shop/dashboards', all, { name: 'Sales' })
  await api.send('POST', '/api/datasets/shop/insights', all, { name: 'Buyers', filters, dashboards: [1] })
  const asked = [
    { insight: 1, export_format: 'text/csv' },
    { insight: 1, export_format: 'application/json' },
    { dashboard: 1, export_format: 'text/csv' },
    { dashboard: 1, export_format: 'application/json' },
    { export_context: { path: 'insights/1.csv?refresh=force_cache' }, export_format: 'text/csv' },
  ]
  const made = []
  for (const body of asked) made.push((await api.make(body)).body)
  expect(made.map(({ export_context: context, filename }) => [context.path, filename])).toEqual([
    ['insights/1', 'shop-insights-1.csv'],
    ['insights/1', 'shop-insights-1.json'],
    ['dashboards/1', 'shop-dashboards-1.csv'],
    ['dashboards/1', 'shop-dashboards-1.json'],
    ['insights/1', 'shop-insights-1.csv'],
  ])
  const elsewhere = EXPORTS.replace('shop', 'blog')
  for (const body of asked.slice(0, 4)) {
    expect(await api.make(body, await api.personalKey(['export:write']))).toMatchObject({ status: 403 })
    expect((await api.send('POST', elsewhere, all, body)).body).toMatchObject({ code: 'does_not_exist' })
  }
  await api.begin()
  const ended = []
  for (const { id } of made) ended.push(await api.ended(id))
  expect(ended.map(({ status, rows }) => [status, rows])).toEqual([
    ['completed', 1],
    ['completed', null],
    ['completed', 3],
    ['completed', null],
    ['completed', 1],
  ])
  const table = 'series,20-Nov-2026,21-Nov-2026,22-Nov-2026\r\npurchase,0,5,0\r\n'
  expect([(await api.content(1)).body, (await api.content(5)).body]).toEqual([table, table])
  expect((await api.content(3)).body).toContain('1,Buyers,purchase,2026-11-21,5\r\n')
  const [insight, dashboard] = [(await api.content(2)).json(), (await api.content(4)).json()]
  expect(insight).toMatchObject({ id: 1, last_refresh: '2026-11-22T12:00:00.000Z' })
  expect(insight.result[0].persons_urls[0].url).toMatch(
    /^http:\/\/localhost\/api\/datasets\/shop\/persons\/trends\?/,
  )
  expect(dashboard.tiles[0].insight.result[0].data).toEqual([0, 5, 0])
  await api.app.close()
})

test('an insight that is saved as SQL is exported by its number, as rows', async () => {
  const api = await serving(({ sql }) =>
    sql.includes('FORMAT')
      ? [
          ['event', 'n'],
          ['String', 'UInt64'],
          ['=buy', 3],
          ['see', 5],
        ]
      : [],
  )
  const query = { kind: 'SQLQuery', query: 'SELECT event, count() AS n FROM events GROUP BY event' }
  await api.send('POST', '/api/datasets/shop/insights', await api.personalKey(['*']), { query })
  for (const format of ['text/csv', 'application/json']) await api.make({ insight: 1, export_format: format })
  await api.begin()
  expect(await api.ended(1)).toMatchObject({ status: 'completed', rows: 2 })
  expect((await api.content(1)).body).toBe("event,n\r\n'=buy,3\r\nsee,5\r\n")
  expect(await api.ended(2)).toMatchObject({ status: 'completed' })
  expect((await api.content(2)).json()).toMatchObject({
    columns: ['event', 'n'],
    result: [
      ['=buy', 3],
      ['see', 5],
    ],
  })
  await api.app.close()
})

test.each([
  [{ ...EVENTS, export_format: 'image/png' }, 400, 'export_format', 'not_supported'],
  [{ ...EVENTS, export_format: 'application/pdf' }, 400, 'export_format', 'not_supported'],
  [{ ...EVENTS, export_format: 'xml' }, 400, 'export_format', 'invalid_input'],
  [{ export_format: 'text/csv' }, 400, 'export_context', 'invalid_input'],
  [{ ...EVENTS, insight: 1 }, 400, 'export_context', 'invalid_input'],
  [{ insight: 1, export_format: 'text/csv' }, 400, 'insight', 'does_not_exist'],
  [{ dashboard: 1, export_format: 'text/csv' }, 400, 'dashboard', 'does_not_exist'],
  [{ insight: 0, export_format: 'text/csv' }, 400, 'insight', 'invalid_input'],
  [{ ...EVENTS, expires_after: '2026-11-22T11:00:00Z' }, 400, 'expires_after', 'invalid_input'],
  [{ ...EVENTS, expires_after: '2029-01-01' }, 400, 'expires_after', 'invalid_input'],
  [{ ...EVENTS, export_context: { path: 'annotations' } }, 403, null, 'permission_denied'],
  [{ ...EVENTS, export_context: { path: 'settings' } }, 400, 'export_context__path', 'invalid_input'],
  [{ ...EVENTS, export_context: { path: 'trace/e1' } }, 400, 'export_context__path', 'invalid_input'],
  // Not the insight of that name.
  [
    { ...EVENTS, export_context: { path: 'insights/my_last_viewed' } },
    400,
    'export_context__path',
    'invalid_input',
  ],
  [{ ...EVENTS, export_context: { path: 'events?nonsense=1' } }, 400, 'nonsense', 'invalid_input'],
  [{ ...EVENTS, export_context: { path: '/api/datasets/blog/events' } }, 404, null, 'not_found'],
  [{ ...EVENTS, export_context: { path: '../blog/events' } }, 404, null, 'not_found'],
  [{ ...EVENTS, export_context: { path: 'http://elsewhere/api/personal_api_keys' } }, 404, null, 'not_found'],
  [{ ...EVENTS, rows: 5 }, 400, 'rows', 'invalid_input'],
])('%j is refused', async (body, status, attr, code) => {
  const api = await serving()
  expect(await api.make(body)).toMatchObject({ status, body: { attr, code } })
  expect((await api.send('GET', EXPORTS, api.key)).body.count).toBe(0)
})

test.each(['insights/%zz', 'insights/%', 'insights/%c0%af', 'insights/%zz.csv'])(
  'a malformed escape in the path %s is a 400 about it',
  async (path) => {
    const api = await serving()
    const refused = await api.make({ ...EVENTS, export_context: { path } })
    expect(refused).toMatchObject({
      status: 400,
      body: { attr: 'export_context__path', code: 'invalid_input' },
    })
  },
)

test('whatever a file is called, its name is plain characters in one header', async () => {
  const api = await serving()
  const names = [
    ['a"\r\nset-cookie: b=c\r\n\r\n<html>', 'a-set-cookie-b-c-html-.csv'],
    ["\"; filename*=UTF-8''x.html", '-filename-UTF-8-x.html.csv'],
    ['../../etc/passwd', '..-..-etc-passwd.csv'],
    ['\u2028\u202e.csv', '-.csv'],
    ['"""', '-.csv'],
  ] as const
  for (const [filename] of names)
    await api.make({ ...EVENTS, export_context: { ...EVENTS.export_context, filename } })
  await api.begin()
  for (const [at, [, plain]] of names.entries()) {
    await api.ended(at + 1)
    const { headers } = await api.content(at + 1)
    expect(headers['content-disposition']).toBe(`attachment; filename="${plain}"`)
    expect(headers).not.toHaveProperty('set-cookie')
  }
  await api.app.close()
})

test('a dataset has so many exports and no more, until one is removed', async () => {
  const api = await serving()
  await api.make(EVENTS)
  const { db } = api.env.metadata
  const first = await db.selectFrom('exports').selectAll().executeTakeFirstOrThrow()
  // Numbers from far behind, which the next ones do not meet.
  const others = Array.from({ length: EXPORTS_MAX - 2 }, (_, at) => ({ ...first, id: 10_000 + at }))
  await db.insertInto('exports').values(others).execute()
  expect((await api.make(EVENTS)).status).toBe(201)
  expect(await api.make(EVENTS)).toMatchObject({ status: 400, body: { code: 'limit_reached' } })
  expect((await api.send('DELETE', `${EXPORTS}/1`, api.key)).status).toBe(204)
  expect((await api.make(EVENTS)).status).toBe(201)
})

test('an export needs the right to what it holds, when it is made and when it is read', async () => {
  const api = await serving()
  const only = await api.personalKey(['export:write'])
  expect(await api.make(EVENTS, only)).toMatchObject({ status: 403 })
  expect(await api.make(EVENTS, api.keys.shopRead)).toMatchObject({ status: 403 })
  await api.make(EVENTS)
  await api.begin()
  await api.ended(1)
  expect((await api.content(1, only)).json()).toMatchObject({ detail: expect.stringContaining('query:read') })
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/1'],
    ['GET', '/1/content'],
    ['DELETE', '/1'],
  ] as const)
    expect((await api.send(method, EXPORTS.replace('shop', 'blog') + path, api.key)).status).toBe(404)
  await api.app.close()
})

test('a failure is told in words, and an export that has expired is gone with its file', async () => {
  const api = await serving(({ sql }) => {
    if (sql.includes('FORMAT')) throw new Error('a bug')
    return []
  })
  await api.make({ ...EVENTS, expires_after: '2026-11-22T14:00:00Z' })
  await api.begin()
  expect(await api.ended(1)).toMatchObject({ status: 'failed', error: expect.stringContaining('went wrong') })
  expect((await api.content(1)).json()).toMatchObject({ code: 'export_failed' })
  await api.clock.advance(2 * 3_600_000 + 60_000)
  await expect
    .poll(async () => (await api.send('GET', EXPORTS, api.key)).body.count, { timeout: 20_000 })
    .toBe(0)
  await api.app.close()
})

test('whatever process dies at whatever moment, an export ends once, with a whole file', async () => {
  const ROWS = 5
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.nat({ max: 12 }), { minLength: 0, maxLength: 2 }),
      fc.boolean(),
      async (deaths, isSleeper) => {
        const clock = createManualClock(NOW_MS)
        const metadata = openSqliteMetadata(':memory:')
        await migrateMetadata(metadata)
        const store = createExportStore(metadata)
        const files = new Map<string, string>()
        const route = {
          about: 'dataset',
          method: 'GET',
          path: '/api/datasets/:dataset/events',
          access: { object: 'query', action: 'read' },
          parameters: { format: {} },
        } as unknown as DatasetRoute
        const control = recordingEnvironment().control

        /** A process that stops for ever at its n-th step; a sleeper goes on much later, as one that was paused does. */
        const run = (steps: number) => {
          const stopping = new AbortController()
          let wake = () => {}
          const asleep = new Promise<void>((resolve) => {
            wake = resolve
          })
          let left = steps
          const step = async () => {
            if (left-- <= 0) await asleep
          }
          const dying =
            <A extends unknown[], R>(call: (...given: A) => Promise<R>) =>
            async (...given: A): Promise<R> => {
              await step()
              return call(...given)
            }
          const sources = createExportSources([
            {
              ...route,
              answer: async () => {
                await step()
                return { body: Array.from({ length: ROWS }, (_, i) => i) }
              },
            },
          ])
          void createExportRunner({
            store: {
              ...store,
              claim: dying(store.claim),
              renew: dying(store.renew),
              settle: dying(store.settle),
            },
            content: {
              write: dying(async (key, _, pieces) => {
                let text = ''
                for await (const piece of pieces) text += piece
                await step()
                files.set(key, text)
                await step()
                return text.length
              }),
              open: async () => null,
              remove: dying(async (key) => void files.delete(key)),
            },
            sources,
            control,
            clock,
            logger: createLogger('test', 'error'),
            concurrentMax: 1,
            leaseMs: 30_000,
          }).run(stopping.signal)
          return { wake, stop: () => stopping.abort() }
        }

        const made = {
          source: JSON.stringify({ path: 'events', query: {} }),
          media_type: 'application/json',
          filename: 'f.json',
          created_by: 'me',
          expires_at: NOW_MS + 1e9,
        } as const
        await store.create('shop', made, NOW_MS)
        const dead = []
        for (const steps of deaths) {
          dead.push(run(steps))
          await clock.advance(40_000)
        }
        const last = run(Number.POSITIVE_INFINITY)
        await clock.advance(100_000)
        const row = await store.get('shop', 1)
        expect(row).toMatchObject({ status: 'completed' })
        const key = contentKey({ dataset_id: 'shop', id: 1 }, row?.attempts ?? 0)
        if (isSleeper) for (const { wake } of dead) wake()
        await clock.advance(100_000)
        await settle()
        expect(await store.get('shop', 1)).toEqual(row)
        expect(files.get(key)).toBe('[0,1,2,3,4]')
        for (const { stop, wake } of [...dead, last]) {
          wake()
          stop()
        }
        await clock.advance(1_000)
        await metadata.close()
      },
    ),
    { numRuns: 15 },
  )
})
