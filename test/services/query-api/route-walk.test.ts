import { createHash } from 'node:crypto'
import { beforeEach, expect, test } from 'vitest'
import { migrateMetadata } from '../../../services/core/metadata/metadata-migrations.ts'
import type { Environment } from '../../../services/query-api/environment.ts'
import { RATE_LIMITS, type RateLimit } from '../../../services/query-api/http/rate-limits.ts'
import type { Route } from '../../../services/query-api/http/route.ts'
import { allows, SCOPES } from '../../../services/query-api/http/scopes.ts'
import { recordingEnvironment } from './recording-environment.ts'

/** Routes that everybody may call: there is no key to leave out, no scope to lack and no dataset to name. */
const NEED_NO_KEY = [
  'GET /shared/:token.json',
  'GET /shared/:token',
  'GET /shared/:token/snapshots',
  'GET /api/openapi.json',
  'GET /api/docs',
]
/** Routes that lie beside the datasets: what is of another dataset there is a key. */
const BESIDE_DATASETS = [
  'GET /api/datasets',
  'GET /api/projects',
  'GET /api/projects/:project',
  'GET /api/organization',
  'GET /api/personal_api_keys',
  'POST /api/personal_api_keys',
  'GET /api/personal_api_keys/:id',
  'PUT /api/personal_api_keys/:id',
  'PATCH /api/personal_api_keys/:id',
  'POST /api/personal_api_keys/:id/roll',
  'DELETE /api/personal_api_keys/:id',
]
/** A link that opens nothing is told so before its parameters are read, as whoever follows it knows no parameters. */
const TOKEN_FIRST = ['GET /shared/:token/snapshots']

const REFUSED_METHODS = ['HEAD', 'OPTIONS', 'TRACE'] as const
const UNKNOWN = 'nonsense_name'

const nameOf = ({ method, path }: Pick<Route, 'method' | 'path'>) => `${method} ${path}`

/** The same, with every call of one of its functions noted. */
function noting<T extends object>(name: string, inner: T, notes: string[]): T {
  return new Proxy(inner, {
    get(target, member) {
      const value: unknown = Reflect.get(target, member, target)
      if (typeof value !== 'function') return value
      return (...given: unknown[]) => {
        notes.push(`${name}.${String(member)}`)
        return value.apply(target, given)
      }
    },
  })
}

/** The API over stores that note what they are asked, without limits of requests unless told otherwise. */
async function watched(overrides: Partial<Environment> = {}) {
  const { env, asked } = recordingEnvironment()
  await migrateMetadata(env.metadata)
  const notes: string[] = []
  const clickhouse = noting('clickhouse', env.clickhouse, notes)
  const lent: Partial<Environment> = {
    clickhouse,
    writer: clickhouse,
    recordings: { ...env.recordings, store: noting('store', env.recordings.store, notes) },
    metadata: noting('metadata', { ...env.metadata, db: noting('db', env.metadata.db, notes) }, notes),
    exports: { ...env.exports, content: noting('exports', env.exports.content, notes) },
    batchExports: noting('batch_exports', env.batchExports, notes),
    commandLog: noting('command_log', env.commandLog, notes),
    ...noting('trace', { findInLog: env.findInLog, findInDelivery: env.findInDelivery }, notes),
    rateLimits: { enabled: false, allowed: new Set() },
    ...overrides,
  }
  const api = recordingEnvironment(() => [], lent)
  const { app, pipeline } = api

  interface Asked {
    readonly key?: string | null
    readonly dataset?: string
    readonly method?: Route['method'] | (typeof REFUSED_METHODS)[number]
    readonly headers?: Readonly<Record<string, string>>
    readonly query?: Readonly<Record<string, string>>
    readonly body?: unknown
    readonly id?: string
  }

  /** The example of a route as a call, changed as said. Every answer has the headers that every answer must have. */
  async function call(route: Route, asked: Asked = {}) {
    const { example, method, path } = route
    const { key = null, dataset = 'shop', headers = {}, body = example.body } = asked
    const params: Readonly<Record<string, string>> = {
      ...example.params,
      dataset,
      ...(asked.id === undefined ? {} : { id: asked.id }),
    }
    const query = new URLSearchParams({ ...example.query, ...asked.query }).toString()
    const address = path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(params[name] ?? ''))
    const response = await app.inject({
      method: asked.method ?? method,
      url: query === '' ? address : `${address}?${query}`,
      headers: { ...headers, ...(key === null ? {} : { authorization: `Bearer ${key}` }) },
      ...(body === undefined ? {} : { payload: body as object }),
    })
    const told = Object.keys(response.headers)
    expect([nameOf(route), response.headers['x-content-type-options']]).toEqual([nameOf(route), 'nosniff'])
    expect([nameOf(route), told.filter((name) => /^access-control|^set-cookie|^server$/.test(name))]).toEqual(
      [nameOf(route), []],
    )
    return response
  }

  return {
    ...api,
    notes,
    asked,
    call,
    routes: pipeline.routes,
    /** A key that this process believes, so that it is looked up in no database. */
    async knownKey(scopes: readonly string[], datasets?: readonly string[]) {
      const key = await api.personalKey(scopes, datasets)
      await api.get('/api/personal_api_keys', key)
      notes.length = 0
      return key
    },
  }
}

/** For the walks that make nothing; each begins with nothing noted. */
const shared = await watched()
beforeEach(() => {
  shared.notes.length = 0
})

/** Those that a walk leaves out are these by name, and no other. */
function walked(
  routes: readonly Route[],
  leftOut: readonly string[],
): readonly Exclude<Route, { about: 'everybody' }>[] {
  const out = routes.filter((route) => leftOut.includes(nameOf(route)))
  expect(out.map(nameOf).toSorted()).toEqual(leftOut.toSorted())
  const kept = routes.filter((route) => !out.includes(route))
  expect(kept.map(({ about }) => about)).not.toContain('everybody')
  return kept as readonly Exclude<Route, { about: 'everybody' }>[]
}

test('there are routes to walk, each once', () => {
  const { routes } = shared
  expect(routes.length).toBeGreaterThanOrEqual(209)
  expect(new Set(routes.map(nameOf)).size).toBe(routes.length)
  expect(routes.filter(({ about }) => about === 'everybody').map(nameOf)).toEqual(NEED_NO_KEY)
  expect(routes.filter(({ about }) => about === 'installation').map(nameOf)).toEqual(BESIDE_DATASETS)
})

test('without a key, or with one that is not valid, every route is a 401 and asks nothing', async () => {
  const { routes, call, notes, keys } = shared
  for (const route of walked(routes, NEED_NO_KEY)) {
    for (const [key, code] of [
      [null, 'not_authenticated'],
      [keys.shopExpired, 'authentication_failed'],
    ] as const) {
      const { statusCode, headers, json } = await call(route, { key })
      expect([nameOf(route), statusCode, json().code, headers['www-authenticate']]).toEqual([
        nameOf(route),
        401,
        code,
        'Bearer',
      ])
    }
  }
  expect(notes.filter((note) => !/^(db|metadata)\./.test(note))).toEqual([])
})

test('with every scope but its own every route is a 403 that names it, and asks nothing', async () => {
  const { routes, call, notes, knownKey } = shared
  const keysBySort = new Map<string, string>()
  for (const route of walked(routes, NEED_NO_KEY)) {
    const { object, action } = route.access
    const scope = `${object}:${action}`
    const others = SCOPES.filter((each) => !allows([each], object, action))
    const key = keysBySort.get(scope) ?? (await knownKey(others))
    keysBySort.set(scope, key)
    notes.length = 0
    const { statusCode, json } = await call(route, { key })
    expect([nameOf(route), statusCode, json()]).toEqual([
      nameOf(route),
      403,
      {
        type: 'authentication_error',
        code: 'permission_denied',
        detail: `This key may not do that. It needs the scope ${scope}.`,
        attr: null,
      },
    ])
    expect([nameOf(route), notes]).toEqual([nameOf(route), []])
  }
  expect(keysBySort.size).toBeGreaterThan(30)
})

test('another dataset is on every route like none at all, to the byte, and nothing is asked about it', async () => {
  const { routes, call, notes, knownKey } = shared
  const key = await knownKey(['*'], ['blog'])
  for (const route of walked(routes, [...NEED_NO_KEY, ...BESIDE_DATASETS])) {
    const answers = [
      await call(route, { key, dataset: 'nothing' }),
      await call(route, { key, dataset: 'shop' }),
      // Headers do not say which dataset it is.
      await call(route, {
        key,
        dataset: 'shop',
        headers: { 'x-dataset-id': 'blog', 'x-tenant-id': 'blog', 'x-account-id': 'other' },
      }),
    ]
    const told = answers.map(({ statusCode, body, headers: { date: _, ...headers } }) => [
      statusCode,
      body,
      headers,
    ])
    expect([nameOf(route), told[0]?.slice(0, 2)]).toEqual([
      nameOf(route),
      [404, '{"type":"invalid_request","code":"not_found","detail":"Not found.","attr":null}'],
    ])
    for (const each of told.slice(1)) expect([nameOf(route), each]).toEqual([nameOf(route), told[0]])
    expect([nameOf(route), notes]).toEqual([nameOf(route), []])
  }
})

test('a key of another dataset is on every route of keys like none at all, to the byte', async () => {
  const { routes, call, send, keys, knownKey } = shared
  const body = { label: 'theirs', scopes: ['query:read'], datasets: ['shop'] }
  const { value: _, ...theirs } = (await send('POST', '/api/personal_api_keys', keys.admin, body)).body
  const key = await knownKey(['*'], ['blog'])
  const ofKeys = routes.filter(
    (route) => BESIDE_DATASETS.includes(nameOf(route)) && route.path.includes(':id'),
  )
  expect(ofKeys).toHaveLength(5)
  for (const route of ofKeys) {
    // One with rights that its maker has not is refused for that, whatever it is of.
    const asked = { key, ...(route.method === 'PUT' ? { body: { ...body, datasets: ['blog'] } } : {}) }
    const [none, foreign] = [await call(route, asked), await call(route, { ...asked, id: theirs.id })]
    expect([nameOf(route), none.statusCode]).toEqual([nameOf(route), 404])
    expect([nameOf(route), foreign.statusCode, foreign.body]).toEqual([nameOf(route), 404, none.body])
  }
  expect((await send('GET', '/api/personal_api_keys', key)).body.results).not.toContainEqual(theirs)
  expect((await send('GET', `/api/personal_api_keys/${theirs.id}`, keys.admin)).body).toEqual(theirs)
})

test.each([
  ['shorter', 0],
  ['longer', 1],
] as const)('when the %s limit of its class is reached every route is a 429 that names it', async (_, at) => {
  const taken: [string, readonly RateLimit[]][] = []
  /** Counters of which one is full, once there is a key. */
  let isFull = false
  const counters = {
    async take(identity: string, limits: readonly RateLimit[]) {
      taken.push([identity, limits])
      const states = limits.map((_limit, which) =>
        isFull && which === at ? { remaining: 0, freedInMs: 29_400 } : { remaining: 5, freedInMs: 1_000 },
      )
      return { admitted: !isFull, states }
    },
    close: async () => {},
  }
  const { routes, call, notes, knownKey } = await watched({
    rateLimits: { enabled: true, allowed: new Set() },
    rateCounters: { known: counters, addresses: counters },
  })
  const key = await knownKey(['*'])
  isFull = true
  for (const route of routes) {
    taken.length = 0
    const { statusCode, headers, json } = await call(route, { key })
    const { scope, requests, windowMs } = RATE_LIMITS[route.limit][at]
    expect([nameOf(route), statusCode, json()]).toMatchObject([
      nameOf(route),
      429,
      {
        type: 'throttled_error',
        code: 'throttled',
        detail: expect.stringMatching(
          new RegExp(
            `^Request was throttled\\. Expected available in 30 seconds\\. The limit is ${requests} requests per (minute|hour) \\(${scope}\\) for `,
          ),
        ),
        attr: null,
      },
    ])
    expect([nameOf(route), headers]).toMatchObject([
      nameOf(route),
      {
        'retry-after': '30',
        'ratelimit-limit': String(requests),
        'ratelimit-remaining': '0',
        'ratelimit-reset': '30',
        'ratelimit-policy': `${requests};w=${windowMs / 1000};comment="${scope}"`,
      },
    ])
    const whose = { dataset: /^dataset:shop$/, installation: /^key:/, everybody: /^address:127\.0\.0\.1$/ }
    expect([nameOf(route), taken]).toEqual([
      nameOf(route),
      [[expect.stringMatching(whose[route.about]), RATE_LIMITS[route.limit]]],
    ])
  }
  expect(notes).toEqual([])
})

test('every path refuses HEAD, OPTIONS and TRACE, whatever the key opens, and asks nothing', async () => {
  const { routes, call, notes, knownKey } = shared
  const key = await knownKey(['*'])
  for (const [path, own] of Map.groupBy(routes, (route) => route.path)) {
    for (const method of REFUSED_METHODS) {
      const { statusCode, headers, body } = await call(own[0]!, { key, method, query: { limit: 'all' } })
      expect([path, method, statusCode, headers.allow]).toEqual([
        path,
        method,
        405,
        own.map((route) => route.method).join(', '),
      ])
      if (method === 'HEAD') expect(body).toBe('')
    }
  }
  expect(notes).toEqual([])
})

test('every route refuses a parameter, and a field, that it does not know, and names it', async () => {
  const { routes, call, notes, knownKey } = await watched()
  const key = await knownKey(['*'])
  // The objects that are asked about are there.
  const makes = routes.filter(
    ({ method, success, path }) => method === 'POST' && success.status === 201 && !path.includes(':id'),
  )
  for (const route of makes)
    expect([nameOf(route), (await call(route, { key })).statusCode]).toEqual([nameOf(route), 201])
  notes.length = 0
  for (const route of routes) {
    const isLink = TOKEN_FIRST.includes(nameOf(route))
    const { statusCode, json } = await call(route, { key, query: { [UNKNOWN]: 'a' } })
    expect([nameOf(route), statusCode, json()]).toMatchObject([
      nameOf(route),
      isLink ? 404 : 400,
      isLink ? { code: 'not_found' } : { type: 'validation_error', code: 'invalid_input', attr: UNKNOWN },
    ])
    if (route.body === undefined) continue
    const body = { ...(route.example.body as object), [UNKNOWN]: 'a' }
    const inBody = await call(route, { key, body })
    expect([nameOf(route), inBody.statusCode, inBody.json()]).toMatchObject([
      nameOf(route),
      400,
      {
        type: 'validation_error',
        code: 'invalid_input',
        attr: expect.stringMatching(`^(\\w+__)?${UNKNOWN}$`),
      },
    ])
  }
  expect(notes.filter((note) => !/^(db|metadata)\./.test(note))).toEqual([])
})

test('a header that names another dataset, account or user changes no answer and no question', async () => {
  /** Every example in the order of the table, with what it was answered and what was asked for it. */
  async function walk(headers: Readonly<Record<string, string>>) {
    let drawn = 0
    const randomBytes = (size: number) =>
      createHash('sha512').update(String(++drawn)).digest().subarray(0, size)
    const { routes, call, asked, knownKey } = await watched({ randomBytes })
    const key = await knownKey(['*'])
    const answers: [string, number, string][] = []
    for (const route of routes) {
      const { statusCode, body } = await call(route, { key, headers })
      answers.push([nameOf(route), statusCode, body])
    }
    return { answers, asked: asked.map(({ sql, parameters, options }) => [sql, parameters, options.dataset]) }
  }
  const plain = await walk({})
  const named = await walk({
    'x-dataset-id': 'blog',
    'x-tenant-id': 'blog',
    'x-account-id': 'other',
    'x-user-id': 'administrator',
    'x-forwarded-user': 'administrator',
    'x-original-url': '/api/datasets/blog/events',
    'x-rewrite-url': '/api/datasets/blog/events',
    'x-http-method-override': 'DELETE',
    'x-forwarded-prefix': '/api/datasets/blog',
  })
  expect(named).toEqual(plain)
  expect(new Set(plain.asked.map(([, , dataset]) => dataset))).toEqual(new Set(['shop']))
  expect(plain.answers.filter(([, status]) => status >= 500)).toEqual([])
  expect(plain.answers.filter(([, status]) => status < 300).length).toBeGreaterThan(100)
})
