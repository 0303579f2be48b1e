import { Validator } from '@seriousme/openapi-schema-validator'
import { Value } from '@sinclair/typebox/value'
import { expect, test } from 'vitest'
import { parseAccessKey } from '../../../../services/core/control/access-key.ts'
import { createLogger } from '../../../../services/core/runtime/logger.ts'
import { createMetrics } from '../../../../services/core/runtime/metrics.ts'
import type { Route } from '../../../../services/query-api/http/route.ts'
import { curlOf } from '../../../../services/query-api/openapi/example-call.ts'
import type { OpenApiDocument } from '../../../../services/query-api/openapi/openapi-document.ts'
import { referencePage } from '../../../../services/query-api/openapi/reference-page.ts'
import { createPipeline } from '../../../../services/query-api/pipeline.ts'
import { recordingEnvironment } from '../recording-environment.ts'

async function served(): Promise<OpenApiDocument> {
  const response = await recordingEnvironment().get('/api/openapi.json', null)
  expect(response.statusCode).toBe(200)
  return response.json()
}

const routes = createPipeline(
  recordingEnvironment().env,
  createMetrics(),
  createLogger('test', 'error'),
).routes

test('the document is OpenAPI 3.1 to a validator that is not ours', async () => {
  const { valid, errors } = await new Validator().validate(
    (await served()) as unknown as Record<string, unknown>,
  )
  expect([valid, errors]).toEqual([true, undefined])
})

/** Paths of the framework's own drawing of its routes, where a path that begins with another hangs below it. */
function drawnPaths(drawing: string): string[] {
  const above: string[] = []
  return [...drawing.matchAll(/^([│ ]*)[├└]── (\S+) \(/gm)].map(([, indent = '', part = '']) => {
    const depth = indent.length / 4
    above[depth] = (above[depth - 1] ?? '') + part
    return above[depth]
  })
}

test('the document has every path that is registered, and no other', async () => {
  const { app } = recordingEnvironment()
  await app.ready()
  const registered = drawnPaths(app.printRoutes({ commonPrefix: false })).map((path) =>
    path.replace(/:(\w+)/g, '{$1}'),
  )
  expect(registered.length).toBeGreaterThanOrEqual(15)
  expect(Object.keys((await served()).paths).toSorted()).toEqual(registered.toSorted())
})

const ASKED_METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'HEAD', 'OPTIONS', 'TRACE'] as const

test('a method is answered when the document has it, and 405 with those that it has when not', async () => {
  const { app } = recordingEnvironment()
  for (const [path, operations] of Object.entries((await served()).paths)) {
    const url = path.replace('{dataset}', 'shop').replace(/\{\w+\}/g, '1')
    const documented = Object.keys(operations).map((method) => method.toUpperCase())
    for (const method of ASKED_METHODS) {
      const { statusCode, headers } = await app.inject({ method, url })
      if (documented.includes(method)) expect([url, method, statusCode]).not.toEqual([url, method, 405])
      else expect([statusCode, headers.allow]).toEqual([405, documented.join(', ')])
    }
  }
})

test('operations have names of their own, a scope, limits, errors and an example', async () => {
  const operations = Object.values((await served()).paths).flatMap((methods) => Object.values(methods))
  expect(new Set(operations.map(({ operationId }) => operationId)).size).toBe(operations.length)
  for (const operation of operations) {
    expect(operation.description).toMatch(
      /^Needs (no key|the scope `[a-z_]+:(read|write)`)\. Limits: \d+ per 1 min \(`\w+`\), \d+ per 60 min \(`\w+`\)\.$/,
    )
    expect(Object.keys(operation.responses)).toEqual(expect.arrayContaining(['400', '429', '503']))
  }
})

interface Described {
  readonly content?: Readonly<Record<string, { readonly schema?: object; readonly example?: unknown }>>
}

test('every body that an operation takes, and its answer, is described and has an example', async () => {
  const lacking: string[] = []
  let bodies = 0
  for (const [path, operations] of Object.entries((await served()).paths))
    for (const [method, { requestBody = {}, responses }] of Object.entries(operations)) {
      const successes = Object.entries(responses).filter(([status]) => /^2/.test(status))
      expect([path, method, successes.length]).toEqual([path, method, 1])
      const [status, answer] = successes[0] as [string, Described]
      expect([path, method, answer.content === undefined]).toEqual([path, method, status === '204'])
      for (const [where, { content = {} }] of [
        ['body', requestBody as Described],
        [status, answer],
      ] as const)
        for (const [type, { schema, example }] of Object.entries(content)) {
          bodies++
          if (schema === undefined || example === undefined || example === '')
            lacking.push(`${method} ${path} ${where} ${type}`)
        }
    }
  expect(lacking).toEqual([])
  expect(bodies).toBeGreaterThan(250)
})

test.each(routes.map((route) => [`${route.method} ${route.path}`, route] as const))(
  'the example of %s is what the route declares',
  (_, route) => {
    const { example, body, success, path, parameters = {} } = route
    for (const [, name = ''] of path.matchAll(/:(\w+)/g)) expect(example.params).toHaveProperty(name)
    expect(Object.keys(example.query ?? {}).filter((name) => !(name in parameters))).toEqual([])
    if (body !== undefined) expect([...Value.Errors(body, example.body)]).toEqual([])
    else expect(example.body).toBe(undefined)
    expect(example.answer === undefined).toBe(success.status === 204)
    if (success.schema !== undefined) expect([...Value.Errors(success.schema, example.answer)]).toEqual([])
  },
)

const pathOf = ({ path, example }: Route) =>
  path.replace(/:(\w+)/g, (_, name: string) => encodeURIComponent(example.params?.[name] ?? ''))

test('examples of objects work, one after the other, and answer as they are declared', async () => {
  const { send, personalKey } = recordingEnvironment()
  const key = await personalKey(['*'])
  for (const tag of ['annotations', 'actions', 'insights', 'dashboards']) {
    const own = routes.filter(
      ({ tag: of, success, example }) =>
        of === tag && success.mediaType === undefined && example.query === undefined,
    )
    for (const method of ['POST', 'GET', 'PUT', 'PATCH', 'DELETE']) {
      for (const route of own.filter((each) => each.method === method)) {
        const { status, body } = await send(route.method, pathOf(route), key, route.example.body)
        expect([pathOf(route), method, status]).toEqual([pathOf(route), method, route.success.status])
        if (route.success.schema !== undefined)
          expect([...Value.Errors(route.success.schema, body)]).toEqual([])
      }
    }
  }
})

/** Examples about what is not there: what was received, drawn at random or done in the background. */
const NEED_DATA = [
  '404 /api/datasets/:dataset/events/:event not_found',
  '404 /api/datasets/:dataset/persons/:id not_found',
  '404 /shared/:token.json not_found',
  '404 /shared/:token not_found',
  '404 /shared/:token/snapshots not_found',
  '404 /api/datasets/:dataset/query/:id not_found',
  '404 /api/datasets/:dataset/persons/:id/activity not_found',
  '404 /api/datasets/:dataset/persons/:id/activity.csv not_found',
  '404 /api/datasets/:dataset/persons/:id/properties_timeline not_found',
  '404 /api/datasets/:dataset/groups/find not_found',
  '404 /api/datasets/:dataset/event_definitions/:id not_found',
  '404 /api/datasets/:dataset/property_definitions/:id not_found',
  '404 /api/datasets/:dataset/session_recordings/:id not_found',
  '404 /api/datasets/:dataset/session_recordings/:id/snapshots not_found',
  '404 /api/datasets/:dataset/session_recordings/:id/sharing not_found',
  '400 /api/datasets/:dataset/cohorts/:id/persons not_calculated',
  '400 /api/datasets/:dataset/cohorts/:id/persons.csv not_calculated',
  '404 /api/personal_api_keys/:id not_found',
  '409 /api/datasets/:dataset/exports/:id/content not_ready',
  '404 /api/datasets/:dataset/batch_exports/:id/runs/:run not_found',
  '404 /api/datasets/:dataset/batch_exports/:id/backfills/:backfill not_found',
]

test('examples of questions work where objects were made and nothing was received, but for a few by name', async () => {
  const { app, personalKey } = recordingEnvironment(() => [], {
    rateLimits: { enabled: false, allowed: new Set() },
  })
  const headers = { authorization: `Bearer ${await personalKey(['*'])}` }
  const makes = routes.filter(
    ({ method, path, success }) => method === 'POST' && success.status === 201 && !path.includes(':id'),
  )
  for (const { path, example } of makes) {
    const url = path.replace(':dataset', 'shop')
    const made = await app.inject({ method: 'POST', url, headers, payload: example.body as object })
    expect([url, made.statusCode]).toEqual([url, 201])
  }
  const others: string[] = []
  for (const route of routes.filter(({ method }) => method === 'GET')) {
    const { success, example } = route
    const url = `${pathOf(route)}?${new URLSearchParams(example.query)}`
    const response = await app.inject({ url, headers })
    if (response.statusCode !== success.status) {
      others.push(`${response.statusCode} ${route.path} ${response.json().code}`)
      continue
    }
    expect([url, response.headers['content-type']]).toEqual([
      url,
      expect.stringContaining(success.mediaType ?? 'application/json'),
    ])
    if (success.schema !== undefined && success.mediaType === undefined)
      expect([url, [...Value.Errors(success.schema, response.json())]]).toEqual([url, []])
  }
  expect(others).toEqual(NEED_DATA)
})

test('examples of files work as a plain file and as a form', async () => {
  const { app, personalKey } = recordingEnvironment()
  const headers = { authorization: `Bearer ${await personalKey(['*'])}` }
  const taking = routes.filter(({ uploads }) => uploads === true)
  expect(taking.map(({ path }) => path)).toEqual([
    '/api/datasets/:dataset/cohorts',
    '/api/datasets/:dataset/cohorts/:id/persons',
  ])
  for (const route of taking) {
    const { csv, fields = {} } = route.example.upload!
    const form = new FormData()
    for (const [name, value] of Object.entries(fields)) form.append(name, value)
    form.append('csv', new Blob([csv], { type: 'text/csv' }), 'people.csv')
    const sent = new Response(form)
    const calls = [
      { url: `${pathOf(route)}?${new URLSearchParams(fields)}`, type: 'text/csv', payload: csv },
      {
        url: pathOf(route),
        type: sent.headers.get('content-type')!,
        payload: Buffer.from(await sent.arrayBuffer()),
      },
    ]
    for (const { url, type, payload } of calls) {
      const response = await app.inject({
        method: route.method,
        url,
        headers: { ...headers, 'content-type': type },
        payload,
      })
      expect([url, type, response.statusCode]).toEqual([url, type, route.success.status])
      expect([...Value.Errors(route.success.schema!, response.json())]).toEqual([])
    }
  }
})

test('the page shows every route, runs nothing and loads nothing', async () => {
  const response = await recordingEnvironment().get('/api/docs', null)
  expect(response.headers['content-type']).toContain('text/html')
  expect(response.headers['content-security-policy']).toContain("default-src 'none'")
  for (const { path } of routes) expect(response.body).toContain(path)
  expect(response.body).not.toMatch(/<script|src=|https?:\/\//)
})

test('what a declaration says is text on the page, whatever it is', () => {
  const [route] = routes
  const page = referencePage([{ ...route!, summary: '<img onerror=x> & "a"' }])
  expect(page).toContain('&#60;img onerror=x&#62; &#38; &#34;a&#34;')
  expect(page).not.toContain('<img')
})

test('an example is a command that a shell takes as it is', () => {
  const post = routes.find(({ method, tag }) => method === 'POST' && tag === 'annotations')!
  expect(curlOf({ ...post, example: { ...post.example, body: { content: "it's" } } })).toBe(
    `curl -X POST -H "Authorization: Bearer $KEY" -H 'Content-Type: application/json' -d '{"content":"it'\\''s"}' "$API/api/datasets/shop/annotations"`,
  )
})

test('neither document nor page holds anything of this installation', async () => {
  const { get, keys } = recordingEnvironment()
  const text = (await get('/api/openapi.json', null)).body + (await get('/api/docs', null)).body
  for (const key of Object.values(keys)) {
    expect(text).not.toContain(key)
    expect(text).not.toContain(parseAccessKey(key)!.hash)
  }
})
