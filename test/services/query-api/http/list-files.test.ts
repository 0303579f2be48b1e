import { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { Type } from '@sinclair/typebox'
import { expect, test } from 'vitest'
import { nextPlace, resultPages, withFiles } from '../../../../services/query-api/http/list-files.ts'
import {
  listAnswer,
  listOf,
  pageParameters,
  readPage,
} from '../../../../services/query-api/http/list-page.ts'
import { nextAddress } from '../../../../services/query-api/http/next-address.ts'
import { refuseUnknown } from '../../../../services/query-api/http/request-parameters.ts'
import type { Answer, DatasetCall, DatasetRoute } from '../../../../services/query-api/http/route.ts'
import { recordingEnvironment } from '../recording-environment.ts'

const SIZES = { default: 2, max: 3 }
const ROWS = Array.from({ length: 8 }, (_, id) => ({ id, name: `=n${id}`, tags: ['a', id] }))
const common = {
  about: 'dataset',
  method: 'GET',
  path: '/api/datasets/:dataset/things/:id/parts',
  tag: 'things',
  summary: 'Lists parts.',
  limit: 'default',
  access: { object: 'kpi', action: 'read' },
  parameters: pageParameters(SIZES),
  example: { params: { dataset: 'shop', id: '1' }, answer: {} },
} as const
const byOffset: DatasetRoute = {
  ...common,
  success: {
    status: 200,
    description: '',
    schema: listOf(Type.Object({ id: Type.Integer(), name: Type.String(), tags: Type.Array(Type.Any()) })),
  },
  async answer({ query, url }) {
    refuseUnknown(query, ['limit', 'offset', 'search'])
    const page = readPage(query, SIZES)
    const found = ROWS.filter(({ id }) => query.search === undefined || id >= Number(query.search))
    return listAnswer(found.slice(page.offset, page.offset + page.limit), found.length, page, url)
  },
}

const call = (query: DatasetCall['query']) =>
  ({
    query,
    url: new URL(
      `http://host/api/datasets/shop/things/1/parts?${new URLSearchParams(query as Record<string, string>)}`,
    ),
    question: { dataset: { id: 'shop' } },
  }) as unknown as DatasetCall

async function bodyOf(answer: Promise<Answer>): Promise<string> {
  const { body } = await answer
  if (body instanceof Readable) return text(body)
  return typeof body === 'string' ? body : JSON.stringify(body)
}

/** The list that `route` becomes, and its file. */
function filed(route: DatasetRoute): readonly [DatasetRoute, DatasetRoute] {
  return withFiles([route]) as unknown as readonly [DatasetRoute, DatasetRoute]
}

test('a list is read to its end, from where it begins, by its own filters', async () => {
  const [list] = filed(byOffset)
  const whole = await list.answer(call({ limit: 'all' }))
  expect(whole.headers).toMatchObject({
    'content-disposition': 'attachment; filename="shop-things-parts.json"',
  })
  expect(JSON.parse(await text(whole.body as Readable))).toEqual({ next: null, results: ROWS })
  expect(whole.written).toEqual({ rows: 8 })
  expect(JSON.parse(await bodyOf(list.answer(call({ limit: 'all', search: '4', offset: '1' }))))).toEqual({
    next: null,
    results: ROWS.slice(5),
  })
  expect(JSON.parse(await bodyOf(list.answer(call({}))))).toMatchObject({
    count: 8,
    results: ROWS.slice(0, 2),
  })
})

test('a file is whole unless it is said how long it is; then it says where the list goes on', async () => {
  const [list, file] = filed(byOffset)
  expect(file.path).toBe('/api/datasets/:dataset/things/:id/parts.csv')
  const lines = ROWS.map(({ id, name }) => `${id},'${name},"[""a"",${id}]"\r\n`)
  for (const answer of [list.answer(call({ format: 'csv' })), file.answer(call({}))])
    expect(await bodyOf(answer)).toBe(`id,name,tags\r\n${lines.join('')}`)
  const part = await file.answer(call({ limit: '2', offset: '1', csv_mode: 'raw', personal_api_key: 'k' }))
  expect(part.body).toBe('id,name,tags\r\n1,=n1,"[""a"",1]"\r\n2,=n2,"[""a"",2]"\r\n')
  const link = new URL(/^<(.*)>; rel="next"$/.exec(part.headers?.link ?? '')?.[1] ?? '')
  expect(Object.fromEntries(link.searchParams)).toEqual({ limit: '2', offset: '3', csv_mode: 'raw' })
  const last = await file.answer(call({ limit: '3', offset: '7' }))
  expect(last.headers).not.toHaveProperty('link')
})

test('a list that goes on by a cursor is followed, and its entries are flattened for a file only', async () => {
  const [list] = filed({
    ...byOffset,
    success: { status: 200, description: '' },
    pages: {
      ...resultPages(['id', 'first']),
      flat: ({ id, tags }) => ({ id, first: (tags as readonly string[])[0] }),
      next: nextPlace,
    },
    async answer({ query, url }) {
      const at = Number(query.cursor ?? 0)
      const next = at + 3 < ROWS.length ? nextAddress(url, String(at + 3)) : null
      return { body: { next, results: ROWS.slice(at, at + 3) } }
    },
  })
  expect(JSON.parse(await bodyOf(list.answer(call({ limit: 'all' })))).results).toEqual(ROWS)
  expect((await bodyOf(list.answer(call({ format: 'csv' })))).split('\r\n').slice(0, 3)).toEqual([
    'id,first',
    '0,a',
    '1,a',
  ])
})

test('what fails on a later page breaks the answer off', async () => {
  const [list] = filed({
    ...byOffset,
    async answer(asked) {
      if (asked.query.offset === '6') throw new Error('gone')
      return byOffset.answer(asked)
    },
  })
  await expect(bodyOf(list.answer(call({ limit: 'all' })))).rejects.toThrow('gone')
})

test('every list of the API comes as a file', async () => {
  const { routes } = recordingEnvironment().pipeline
  const lists = routes.filter(
    ({ about, method, parameters }) =>
      about === 'dataset' && method === 'GET' && parameters?.limit !== undefined,
  )
  expect(lists.length).toBeGreaterThan(60)
  // No pages, or no entries: the values that most have, what one has just looked at, a recording's chunks, runs by time.
  const without = lists.filter(({ parameters }) => parameters?.format === undefined).map(({ path }) => path)
  expect(without.map((path) => path.replace('/api/datasets/:dataset/', ''))).toEqual([
    'persons/values',
    'insights/my_last_viewed',
    'groups/property_values',
    'session_recordings/:id/snapshots',
    'batch_exports/:id/runs',
  ])
})

test('annotations and people behind a number are files over HTTP', async () => {
  const api = recordingEnvironment(({ sql }) => {
    if (sql.includes('AS actors')) return [{ actors: 1, value: 3, missing: 0 }]
    return sql.includes('SELECT actor, amount') ? [{ actor: 'user-1', amount: 3 }] : []
  })
  const key = await api.personalKey(['*'])
  await api.send('POST', '/api/datasets/shop/annotations', key, {
    content: '=cmd()',
    date_marker: '2026-11-20T10:00:00Z',
  })
  const file = await api.get('/api/datasets/shop/annotations.csv', key)
  expect(file.headers).toMatchObject({
    'content-type': 'text/csv; charset=utf-8',
    'content-disposition': 'attachment; filename="shop-annotations.csv"',
  })
  const [header = '', row = '', ...rest] = file.body.split('\r\n')
  expect(header).toContain('id,content,')
  expect(row).toContain("1,'=cmd(),")
  expect(rest).toEqual([''])
  const people = await api.get(
    '/api/datasets/shop/persons/trends?event=buy&date_from=-2d&point=2026-11-21&format=csv',
    key,
  )
  expect(people.statusCode, people.body).toBe(200)
  expect(people.body).toMatch(
    /^type,id,name,distinct_ids,properties,created_at,value_at_data_point\r\nperson,[0-9a-f-]{36},user-1,"\[""user-1""\]",\{\},,3\r\n$/,
  )
})
