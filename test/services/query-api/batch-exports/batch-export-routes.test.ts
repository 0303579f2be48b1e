import { expect, test } from 'vitest'
import { credentialsPurpose, unseal } from '../../../../services/core/control/sealed.ts'
import { BATCH_EXPORTS_MAX } from '../../../../services/query-api/batch-exports/batch-export-store.ts'
import { recordingEnvironment } from '../recording-environment.ts'

const PATH = '/api/datasets/shop/batch_exports'
const CONFIG = {
  bucket_name: 'acme-lake',
  region: 'eu-central-1',
  prefix: 'events/{year}/{month}',
  batch_window_size: 300,
  aws_access_key_id: 'AKIATEST',
  aws_secret_access_key: 'very-secret',
}
const BODY = { name: 'Lake', interval: 'hour', destination: { type: 'S3', config: CONFIG } }
const TABLE_CONFIG = {
  host: 'db.example.com',
  database: 'shop',
  user: 'loader',
  password: 'very-secret',
  table_name: 'events',
}
const intoTable = (config: object) => ({
  ...BODY,
  destination: { type: 'Postgres', config: { ...TABLE_CONFIG, ...config } },
})
const withConfig = (config: object) => ({
  ...BODY,
  destination: { type: 'S3', config: { ...CONFIG, ...config } },
})

async function serving() {
  const api = recordingEnvironment()
  const key = await api.personalKey(['batch_export:write'])
  const call = (method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path = '', body?: unknown, by = key) =>
    api.send(method, PATH + path, by, body)
  const delivery = () => [...api.control.snapshot.deliveries.values()][0]?.object
  return { ...api, call, delivery, key }
}

test('one is made, shown, replaced, changed and ended, and the S3 sink is told each time', async () => {
  const { call, delivery, control } = await serving()
  const made = await call('POST', '', { ...BODY, mask_pii: true })
  expect([made.status, made.body]).toMatchObject([
    201,
    {
      id: 1,
      interval: 'hour',
      timezone: 'Europe/Berlin',
      paused: false,
      mask_pii: true,
      last_paused_at: null,
    },
  ])
  expect(delivery()).toMatchObject({
    account: 'acme',
    datasets: ['shop'],
    format: 'jsonl',
    bucket: 'acme-lake',
    prefix: 'events',
    partition_by: '{landed:yyyy}/{landed:MM}',
    rotate: { age: '300s' },
    window: { length: '1h' },
    mask_pii: true,
    ranges: [[[0, null]], [[0, null]]],
  })
  const { id } = delivery() ?? {}
  expect((await call('PUT', '/1', { ...BODY, name: 'Other' })).body).toMatchObject({
    name: 'Other',
    mask_pii: false,
  })
  expect(delivery()).not.toHaveProperty('mask_pii')
  const own = {
    file_format: 'Parquet',
    compression: 'snappy',
    include_events: ['buy', 'pay'],
    exclude_events: ['pay'],
  }
  const patch = { destination: { config: own } }
  expect((await call('PATCH', '/1', patch)).body.destination.config).toMatchObject({
    ...patch.destination.config,
    prefix: CONFIG.prefix,
  })
  expect(delivery()).toMatchObject({
    id,
    format: 'parquet',
    compression: 'snappy',
    events: ['buy', 'pay'],
    exclude_events: ['pay'],
  })
  expect((await call('GET', '/1')).body).toMatchObject({ name: 'Other', deliveries: [id] })
  expect((await call('GET')).body).toMatchObject({ count: 1, results: [{ id: 1 }] })
  expect((await call('DELETE', '/1')).status).toBe(204)
  expect(control.snapshot.deliveries.size).toBe(0)
  expect((await call('GET', '/1')).status).toBe(404)
})

test('credentials are in no answer, log or row, and open for their dataset alone', async () => {
  const { call, delivery, env, lines, published } = await serving()
  const { body } = await call('POST', '', BODY)
  await call('PATCH', '/1', { destination: { config: { aws_secret_access_key: 'another-secret' } } })
  const rows = await env.metadata.db.selectFrom('batch_exports').selectAll().execute()
  const seen = JSON.stringify([body, (await call('GET', '/1')).body, rows, lines, published])
  expect(seen).not.toMatch(/AKIATEST|very-secret|another-secret/)
  const sealed = delivery()?.destination?.sealed_credentials ?? ''
  const { secretKey } = env.batchExports
  if (secretKey === null) throw new Error('There is no key.')
  expect(unseal(sealed, credentialsPurpose('shop'), secretKey)).toBe(
    '{"accessKeyId":"AKIATEST","secretAccessKey":"another-secret"}',
  )
  expect(unseal(sealed, credentialsPurpose('blog'), secretKey)).toBe(null)
  expect(unseal(sealed, credentialsPurpose('shop'), Buffer.alloc(32))).toBe(null)
  expect(unseal(`${sealed.slice(0, -2)}AA`, credentialsPurpose('shop'), secretKey)).toBe(null)
})

test.each([
  [{ ...BODY, destination: { type: 'Snowflake', config: {} } }, 'destination__type', 'not_supported'],
  [{ ...BODY, destination: { type: 'BigQuery', config: {} } }, 'destination__type', 'not_supported'],
  [intoTable({ host: 'db.example.org' }), 'destination__config__host', 'not_allowed'],
  [intoTable({ port: 5433 }), 'destination__config__host', 'not_allowed'],
  [intoTable({ host: '[::1]' }), 'destination__config__host', 'invalid_input'],
  [intoTable({ table_name: 'events"; DROP' }), 'destination__config__table_name', 'invalid_input'],
  [intoTable({ schema: '' }), 'destination__config__schema', 'invalid_input'],
  [intoTable({ ssl_mode: 'prefer' }), 'destination__config__ssl_mode', 'invalid_input'],
  [intoTable({ password: undefined }), 'destination__config__password', 'required'],
  [intoTable({ bucket_name: 'acme-lake' }), 'destination__config__bucket_name', 'invalid_input'],
  [{ ...BODY, interval: 'month' }, 'interval', 'invalid_input'],
  [{ ...BODY, timezone: 'Mars/Base' }, 'timezone', 'invalid_input'],
  [{ ...BODY, interval_offset: 24 }, 'interval_offset', 'invalid_input'],
  [{ ...BODY, interval: 'day', interval_offset: 24 }, 'interval_offset', 'invalid_input'],
  [{ ...BODY, interval: 'week', interval_offset: 168 }, 'interval_offset', 'invalid_input'],
  [
    { ...BODY, trigger_immediately: true, start_at: '2026-11-22T10:00:00Z' },
    'trigger_immediately',
    'invalid_input',
  ],
  [{ ...BODY, filters: [{ key: 'plan', operator: 'icontains', value: 'p' }] }, 'filters', 'invalid_input'],
  [{ ...BODY, filters: 'plan' }, 'filters', 'invalid_input'],
  [{ ...BODY, model: 'persons' }, 'model', 'invalid_input'],
  [withConfig({ max_file_size_mb: 0 }), 'destination__config__max_file_size_mb', 'invalid_input'],
  [withConfig({ max_file_size_mb: 1_001 }), 'destination__config__max_file_size_mb', 'invalid_input'],
  [withConfig({ compression: 'lz4' }), 'destination__config__compression', 'invalid_input'],
  [{ ...BODY, start_at: '2027-01-01' }, 'start_at', 'invalid_input'],
  [{ ...BODY, end_at: '2026-11-22T12:00:00Z' }, 'end_at', 'invalid_input'],
  [{ ...BODY, end_at: 'soon' }, 'end_at', 'invalid_input'],
  [withConfig({ exclude_events: [] }), 'destination__config__exclude_events', 'invalid_input'],
  [withConfig({ bucket_name: 'No' }), 'destination__config__bucket_name', 'invalid_input'],
  [withConfig({ prefix: '{minute}' }), 'destination__config__prefix', 'invalid_input'],
  [withConfig({ prefix: 'a/../b' }), 'destination__config__prefix', 'invalid_input'],
  [withConfig({ prefix: 'a b' }), 'destination__config__prefix', 'invalid_input'],
  [
    withConfig({ endpoint_url: 'http://169.254.169.254' }),
    'destination__config__endpoint_url',
    'invalid_input',
  ],
  [
    withConfig({ aws_secret_access_key: undefined }),
    'destination__config__aws_secret_access_key',
    'required',
  ],
  [
    withConfig({ file_format: 'Parquet', compression: 'lzo' }),
    'destination__config__compression',
    'invalid_input',
  ],
])('%j is refused with a sentence', async (body, attr, code) => {
  const { call, published } = await serving()
  const answer = await call('POST', '', body)
  expect(answer).toMatchObject({ status: 400, body: { attr, code } })
  if (code === 'not_supported') expect(answer.body.detail).toContain('docs/warehouses.md')
  expect(published).toEqual([])
})

test('one into a table keeps its place and its password, and changes the rest', async () => {
  const { call, delivery, env } = await serving()
  const made = await call('POST', '', intoTable({ include_events: ['buy'] }))
  const shown = {
    ...TABLE_CONFIG,
    password: undefined,
    port: 5432,
    schema: 'public',
    ssl_mode: 'verify-full',
  }
  expect([made.status, made.body.destination]).toEqual([
    201,
    { type: 'Postgres', config: { ...shown, batch_window_size: 300, include_events: ['buy'] } },
  ])
  expect(delivery()).toMatchObject({
    format: 'jsonl',
    bucket: 'millrace',
    prefix: 'batch-exports',
    events: ['buy'],
    rotate: { rows: 100_000, bytes: '16MB', age: '300s' },
  })
  expect(delivery()).not.toHaveProperty('destination')
  const { last_updated_at: _, ...same } = made.body
  expect((await call('PUT', '/1', { ...same, name: 'Other' })).body).toMatchObject({ name: 'Other' })
  const change = (config: object) => call('PATCH', '/1', { destination: { config } })
  expect((await change({ user: 'other', ssl_mode: 'require' })).body.destination.config).toMatchObject({
    user: 'other',
    ssl_mode: 'require',
    include_events: ['buy'],
  })
  for (const name of ['database', 'schema', 'table_name'])
    expect(await change({ [name]: 'elsewhere' })).toMatchObject({
      status: 400,
      body: { attr: `destination__config__${name}`, detail: expect.stringContaining('cannot change') },
    })
  expect(await change({ host: 'db.example.org' })).toMatchObject({
    status: 400,
    body: { code: 'not_allowed' },
  })
  expect(await call('PUT', '/1', BODY)).toMatchObject({ status: 400, body: { attr: 'destination__type' } })
  expect(await call('PATCH', '/1', { destination: { type: 'S3', config: { prefix: 'a' } } })).toMatchObject({
    status: 400,
    body: { attr: 'destination__type' },
  })
  const rows = await env.metadata.db.selectFrom('batch_exports').selectAll().execute()
  expect(JSON.stringify(rows)).not.toContain('very-secret')
})

test.each([
  [{ interval: 'every 5 minutes' }, { length: '5m' }, '2026-11-22T12:00:00.000Z'],
  [{ interval: 'every 15 minutes' }, { length: '15m' }, '2026-11-22T12:00:00.000Z'],
  [
    { interval: 'day', interval_offset: 4 },
    { length: '1d', timezone: 'Europe/Berlin', day_begins: 4 },
    '2026-11-22T03:00:00.000Z',
  ],
  [
    { interval: 'day', timezone: 'Asia/Kolkata' },
    { length: '1d', timezone: 'Asia/Kolkata', day_begins: 0 },
    '2026-11-21T18:30:00.000Z',
  ],
  [
    { interval: 'week' },
    { length: '1w', timezone: 'Europe/Berlin', day_begins: 0, week_begins: 1 },
    '2026-11-15T23:00:00.000Z',
  ],
  // Sundays at six: it is one today.
  [
    { interval: 'week', interval_offset: 150, timezone: 'UTC' },
    { length: '1w', timezone: 'UTC', day_begins: 6, week_begins: 7 },
    '2026-11-22T06:00:00.000Z',
  ],
  [{ interval: 'hour', start_at: '2026-11-20T10:30:00Z' }, { length: '1h' }, '2026-11-20T10:00:00.000Z'],
  [{ interval: 'hour', trigger_immediately: true }, { length: '1h' }, '2026-11-22T11:00:00.000Z'],
  [
    { interval: 'week', trigger_immediately: true, timezone: 'UTC' },
    { length: '1w', timezone: 'UTC', day_begins: 0, week_begins: 1 },
    '2026-11-09T00:00:00.000Z',
  ],
])('%j begins with an interval, whose first offset the delivery has', async (body, window, startAt) => {
  const { call, delivery, logged } = await serving()
  const asked: string[] = []
  logged.offsetsAt = async (timestampMs) => {
    asked.push(new Date(timestampMs).toISOString())
    return [7, 9]
  }
  const made = await call('POST', '', { ...BODY, ...body })
  expect([made.status, made.body.start_at, asked]).toEqual([201, startAt, [startAt]])
  expect(delivery()).toMatchObject({ ranges: [[[7, null]], [[9, null]]] })
  expect(delivery()?.window).toEqual(window)
})

test('one that is made paused reads nothing, and goes on where it was made to begin', async () => {
  const { call, delivery } = await serving()
  const made = await call('POST', '', { ...BODY, paused: true, start_at: '2026-11-20T10:00:00Z' })
  expect(made.body).toMatchObject({ paused: true, last_paused_at: '2026-11-22T12:00:00.000Z' })
  expect(delivery()).toMatchObject({ paused: true })
  const told = delivery()?.ranges
  await call('POST', '/1/unpause', { backfill: true })
  expect(delivery()?.ranges).toEqual(told)
  expect(delivery()).not.toHaveProperty('paused')
})

test('filters and the size of files reach the delivery, and are taken away again', async () => {
  const { call, delivery } = await serving()
  const filters = [{ key: 'plan', operator: 'exact', value: ['pro'], type: 'event' }]
  const made = await call('POST', '', { ...withConfig({ max_file_size_mb: 50 }), filters })
  expect(made.body).toMatchObject({ filters, destination: { config: { max_file_size_mb: 50 } } })
  expect(delivery()).toMatchObject({ where: "((properties['plan'] in ('pro')))", rotate: { bytes: '50MB' } })
  expect((await call('PATCH', '/1', { name: 'Other' })).body.filters).toEqual(filters)
  expect((await call('PATCH', '/1', { filters: [{ key: 'a', operator: 'is_set' }] })).status).toBe(200)
  expect(delivery()?.where).toBe("((properties['a'] is not null))")
  expect((await call('PUT', '/1', BODY)).body.filters).toBe(null)
  expect(delivery()).not.toHaveProperty('where')
  expect(delivery()?.rotate).not.toHaveProperty('bytes')
})

test('what its manifests hang on cannot change', async () => {
  const { call } = await serving()
  await call('POST', '', BODY)
  expect(await call('PUT', '/1', withConfig({ bucket_name: 'other-lake' }))).toMatchObject({ status: 400 })
  expect(await call('PATCH', '/1', { interval: 'day' })).toMatchObject({
    status: 400,
    body: { attr: 'interval' },
  })
  expect(await call('PATCH', '/1', { interval: 'hour', name: 'Same' })).toMatchObject({ status: 200 })
})

test('what GET shows can be sent back with PUT: credentials stay, and what cannot change is the same', async () => {
  const { call, delivery } = await serving()
  await call('POST', '', { ...BODY, start_at: '2026-11-20T10:30:00Z', end_at: '2026-11-23T00:00:00Z' })
  const shown = (await call('GET', '/1')).body
  const told = delivery()
  const put = await call('PUT', '/1', shown)
  expect(put).toMatchObject({ status: 200, body: { ...shown, last_updated_at: expect.any(String) } })
  expect(delivery()).toEqual(told)
  expect(await call('PUT', '/1', shown)).toMatchObject({
    status: 409,
    body: { code: 'conflict', attr: 'last_updated_at' },
  })
  // As it was made, so the time that was asked for.
  expect((await call('PUT', '/1', { ...BODY, start_at: '2026-11-20T10:30:00Z' })).status).toBe(200)
  for (const [field, value] of [
    ['id', 2],
    ['start_at', '2026-11-20T09:00:00Z'],
    ['created_at', '2026-11-20T09:00:00Z'],
    ['created_by', 'somebody'],
  ] as const) {
    const answer = await call('PATCH', '/1', { [field]: value })
    expect(answer).toMatchObject({ status: 400, body: { attr: field } })
    expect(answer.body.detail).toContain('Leave it out')
  }
  const half = { ...shown.destination.config, aws_access_key_id: 'AKIAOTHER' }
  expect(await call('PUT', '/1', { ...BODY, destination: { type: 'S3', config: half } })).toMatchObject({
    status: 400,
    body: { attr: 'destination__config__aws_secret_access_key', code: 'required' },
  })
  expect((await call('PATCH', '/9', { name: 'x' })).status).toBe(404)
})

test('PATCH and PUT pause and let go on, as the calls of their own do', async () => {
  const { call, delivery, logged, clock } = await serving()
  await call('POST', '', BODY)
  const first = (await call('PATCH', '/1', { paused: true, name: 'Paused' })).body
  expect(first).toMatchObject({
    paused: true,
    name: 'Paused',
    last_paused_at: '2026-11-22T12:00:00.000Z',
  })
  expect(delivery()).toMatchObject({ paused: true })
  await clock.advance(3_600_000)
  const again = (await call('PUT', '/1', { ...BODY, paused: true })).body
  expect(again.last_paused_at).toBe(first.last_paused_at)
  expect((await call('PUT', '/1', BODY)).body.paused).toBe(true)
  const asked: number[] = []
  logged.offsetsAt = async (timestampMs) => {
    asked.push(timestampMs)
    return [70, 80]
  }
  expect((await call('PATCH', '/1', { paused: false })).body.paused).toBe(false)
  expect(asked).toEqual([Date.parse('2026-11-22T13:00:00Z')])
  expect(delivery()).toMatchObject({ ranges: [[[70, null]], [[80, null]]] })
  expect(delivery()).not.toHaveProperty('paused')
  await call('PATCH', '/1', { paused: false })
  expect(asked).toHaveLength(1)
  expect(await call('PATCH', '/1', { paused: 'no' })).toMatchObject({ status: 400, body: { attr: 'paused' } })
})

test('an end is that of an interval, is told to the schedule alone, and is moved before it has come', async () => {
  const { call, delivery, clock } = await serving()
  const end = '2026-11-22T14:00:00.000Z'
  expect((await call('POST', '', { ...BODY, end_at: '2026-11-22T13:00:01Z' })).body.end_at).toBe(end)
  expect(delivery()).toMatchObject({ until: end })
  expect((await call('PATCH', '/1', { name: 'Other' })).body.end_at).toBe(end)
  const early = await call('PATCH', '/1', { end_at: '2026-11-22T12:00:00Z' })
  expect(early).toMatchObject({ status: 400, body: { attr: 'end_at' } })
  const later = (await call('PATCH', '/1', { end_at: '2026-11-23T00:00:00+01:00' })).body.end_at
  expect(later).toBe('2026-11-22T23:00:00.000Z')
  await clock.advance(24 * 3_600_000)
  expect((await call('PATCH', '/1', { end_at: later })).status).toBe(200)
  expect((await call('PATCH', '/1', { end_at: end })).status).toBe(400)
  expect((await call('PUT', '/1', BODY)).body.end_at).toBe(null)
  expect(delivery()).not.toHaveProperty('until')
})

test('a pause stops the schedule; it goes on where it was, or with the interval under way', async () => {
  const { call, delivery, logged, clock } = await serving()
  await call('POST', '', BODY)
  expect((await call('POST', '/1/pause')).body).toEqual({ paused: true })
  const { last_paused_at: first } = (await call('GET', '/1')).body
  await clock.advance(3_600_000)
  expect((await call('POST', '/1/pause')).body).toEqual({ paused: true })
  expect((await call('GET', '/1')).body).toMatchObject({ paused: true, last_paused_at: first })
  expect(delivery()).toMatchObject({ paused: true })
  expect((await call('POST', '/1/unpause', { backfill: true })).body).toEqual({ paused: false })
  expect(delivery()?.ranges).toEqual([[[0, null]], [[0, null]]])
  await call('POST', '/1/pause')
  const asked: number[] = []
  logged.offsetsAt = async (timestampMs) => {
    asked.push(timestampMs)
    return [70, 80]
  }
  expect((await call('POST', '/1/unpause')).body).toEqual({ paused: false })
  expect(asked).toEqual([Date.parse('2026-11-22T13:00:00Z')])
  expect(delivery()?.ranges).toEqual([[[70, null]], [[80, null]]])
  expect((await call('POST', '/1/unpause')).body).toEqual({ paused: false })
})

test.each([
  [{ start_at: '2026-11-22T11:00:00Z', end_at: '2026-11-22T11:00:00Z' }, 'end_at'],
  [{ start_at: '2026-11-22T11:00:00Z', end_at: '2026-11-22T10:00:00Z' }, 'end_at'],
  [{ start_at: '2026-11-22T11:00:00Z', end_at: '2026-11-22T13:00:00Z' }, 'end_at'],
  [{ start_at: 'yesterday', end_at: '2026-11-22T10:00:00Z' }, 'start_at'],
  [{ start_at: '2026-11-22T10:00:00Z' }, 'end_at'],
])('the backfill %j is refused', async (body, attr) => {
  const { call } = await serving()
  await call('POST', '', BODY)
  expect(await call('POST', '/1/backfill', body)).toMatchObject({ status: 400, body: { attr } })
})

test('backfills are listed, shown and cancelled; what waits delivers nothing', async () => {
  const { call, published } = await serving()
  await call('POST', '', BODY)
  const told = published.length
  const stretch = { start_at: '2026-11-20T00:00:00Z', end_at: '2026-11-21T00:00:00Z' }
  const made = await call('POST', '/1/backfill', stretch)
  expect(made).toMatchObject({
    status: 201,
    body: { id: 2, batch_export: 1, status: 'waiting', records_completed: 0, finished_at: null },
  })
  await call('POST', '/1/backfill', stretch)
  const { body: page } = await call('GET', '/1/backfills?limit=1')
  expect(page).toMatchObject({ count: 2, previous: null, results: [{ id: 3 }] })
  expect(page.next).toContain('limit=1&offset=1')
  expect((await call('GET', '/1/backfills?limit=1&offset=1')).body.results).toEqual([made.body])
  expect(await call('GET', '/1/backfills/2')).toMatchObject({ status: 200, body: made.body })
  const cancelled = { ...made.body, status: 'cancelled', records_total_count: 0 }
  for (const _ of [1, 2])
    expect(await call('POST', '/1/backfills/2/cancel')).toMatchObject({
      status: 200,
      body: { ...cancelled, finished_at: '2026-11-22T12:00:00.000Z' },
    })
  expect(published).toHaveLength(told)
  // The schedule is no backfill, and neither is what is not there.
  for (const id of ['1', '4', '0', 'x', '2.0'])
    expect([id, (await call('GET', `/1/backfills/${id}`)).status]).toEqual([id, 404])
  expect((await call('GET', '/1/backfills?status=waiting')).body.attr).toBe('status')
})

test('runs are those that begin at `after` or later and earlier than `before`, the newest first', async () => {
  const { call } = await serving()
  await call('POST', '', { ...BODY, start_at: '2026-11-22T08:20:00Z' })
  const hours = async (query: string) => {
    const { status, body } = await call('GET', `/1/runs${query}`)
    expect(status).toBe(200)
    return body.results.map((run: { data_interval_start: string }) => run.data_interval_start.slice(11, 16))
  }
  expect(await hours('')).toEqual(['12:00', '11:00', '10:00', '09:00', '08:00'])
  expect(await hours('?after=2026-11-22T10:00:00Z')).toEqual(['12:00', '11:00', '10:00'])
  expect(await hours('?after=2026-11-22T10:00:00.001Z')).toEqual(['12:00', '11:00'])
  expect(await hours('?before=2026-11-22T10:00:00Z')).toEqual(['09:00', '08:00'])
  expect(await hours('?before=2026-11-22T10:00:00.001Z')).toEqual(['10:00', '09:00', '08:00'])
  expect(await hours('?after=2026-11-22T09:00:00Z&before=2026-11-22T12:00:00Z&limit=2')).toEqual([
    '11:00',
    '10:00',
  ])
  expect(await hours('?after=2026-11-22T12:00:00Z&before=2026-11-22T12:00:00Z')).toEqual([])
  for (const [query, attr] of [
    ['?after=yesterday', 'after'],
    ['?before=2026-02-31', 'before'],
    ['?limit=0', 'limit'],
    ['?limit=1001', 'limit'],
    ['?offset=1', 'offset'],
  ])
    expect(await call('GET', `/1/runs${query}`)).toMatchObject({ status: 400, body: { attr } })
})

test('calls are limited together, by the dataset', async () => {
  const { call, personalKey } = await serving()
  await call('POST', '', BODY)
  for (let i = 1; i < 480; i++) await call('GET', i % 2 === 0 ? '/1/runs/x' : '/1/backfills/9')
  const refused = await call('GET', '/1', undefined, await personalKey(['batch_export:read']))
  expect(refused).toMatchObject({ status: 429, body: { code: 'throttled' } })
  expect([refused.headers['ratelimit-limit'], refused.headers['retry-after']]).toEqual(['480', '60'])
  expect((await call('POST', '/1/pause')).status).toBe(429)
})

test('a dataset has so many batch exports and no more, until one is removed', async () => {
  const { call } = await serving()
  for (let i = 0; i < BATCH_EXPORTS_MAX; i++) expect((await call('POST', '', BODY)).status).toBe(201)
  expect(await call('POST', '', BODY)).toMatchObject({ status: 400, body: { code: 'limit_reached' } })
  expect((await call('DELETE', '/1')).status).toBe(204)
  expect((await call('POST', '', BODY)).status).toBe(201)
})

test('nobody reaches another dataset or does more than he may', async () => {
  const { call, keys, send, key } = await serving()
  await call('POST', '', BODY)
  for (const [method, path] of [
    ['GET', ''],
    ['GET', '/1'],
    ['DELETE', '/1'],
    ['POST', '/1/pause'],
    ['POST', '/1/unpause'],
    ['POST', '/1/backfill'],
    ['GET', '/1/backfills'],
    ['GET', '/1/backfills/2'],
    ['POST', '/1/backfills/2/cancel'],
    ['GET', '/1/runs'],
    ['GET', '/1/runs/1-0'],
    ['POST', '/1/runs/1-0/reset'],
  ] as const)
    expect((await send(method, PATH.replace('shop', 'blog') + path, key)).status).toBe(404)
  expect((await call('GET', '', undefined, keys.shopRead)).status).toBe(200)
  for (const path of ['/1/pause', '/1/unpause', '/1/backfill', '/1/backfills/2/cancel'])
    expect((await call('POST', path, {}, keys.shopRead)).status).toBe(403)
  for (const id of ['1-5', '2-0', 'x', '1-1795356000001', '1--1'])
    expect([id, (await call('GET', `/1/runs/${id}`)).status]).toEqual([id, 404])
})
