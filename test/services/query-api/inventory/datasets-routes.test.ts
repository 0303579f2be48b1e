import { expect, test } from 'vitest'
import { NONE_BELIEVED_MS } from '../../../../services/query-api/inventory/ingested-datasets.ts'
import { restrictedTables } from '../../../helpers/sql-shape.ts'
import { type AskedQuestion, recordingEnvironment } from '../recording-environment.ts'

const LIST = '/api/datasets'
const SHOP = {
  id: 'shop',
  uuid: '1c714fd8-8e48-5276-8c4a-858dc4214860',
  project: 'acme',
  api_token: null,
  name: 'shop',
  timezone: 'Europe/Berlin',
  ingested_event: true,
  is_demo: false,
  access_control: true,
}
const bound = ({ parameters }: AskedQuestion) => Object.values(parameters)
/** Only the shop has events. */
const ofShop = (asked: AskedQuestion) => (bound(asked).includes('shop') ? [{ event: 'x' }] : [])

test('a key lists the datasets that it opens, and no others; one for all of them lists all', async () => {
  const { get, keys, personalKey } = recordingEnvironment(ofShop)
  const listed = async (key: string) => (await get(LIST, key)).json()
  expect(await listed(keys.shopRead)).toEqual({ count: 1, next: null, previous: null, results: [SHOP] })
  const ids = async (key: string) => (await listed(key)).results.map(({ id }: { id: string }) => id)
  expect(await ids(keys.blogRead)).toEqual(['blog'])
  expect(await ids(await personalKey(['project:read'], ['shop', 'free']))).toEqual(['free', 'shop'])
  expect(await ids(await personalKey(['project:read'], ['*']))).toEqual(['blog', 'free', 'shop'])
  expect(await ids(keys.orphan)).toEqual([])
})

test('a dataset without a name is called by its id, and one without a zone that is known is answered in UTC', async () => {
  const system = recordingEnvironment()
  const key = await system.personalKey(['project:read'], ['*'])
  system.control.update({
    datasets: [
      { id: 'shop', account: 'acme', name: 'Web shop', timezone: 'Mars/Olympus' },
      { id: 'blog', account: 'other' },
    ],
  })
  const shown = async (id: string) => (await system.get(`${LIST}/${id}`, key)).json()
  expect(await shown('shop')).toMatchObject({ name: 'Web shop', timezone: 'UTC', ingested_event: false })
  expect(await shown('blog')).toMatchObject({ name: 'blog', timezone: 'UTC', project: 'other' })
  expect((await shown('shop')).uuid).toBe(SHOP.uuid)
})

test('nothing of a key is in the answer', async () => {
  const { get, keys, personalKey, control } = recordingEnvironment(ofShop)
  const { body } = await get(LIST, await personalKey(['*'], ['*']))
  for (const text of Object.values(keys)) expect(body).not.toContain(text)
  for (const hash of control.snapshot.keys.keys()) expect(body).not.toContain(hash)
})

test('pages have at most 100 datasets and ask about no others', async () => {
  const { get, personalKey, asked } = recordingEnvironment(ofShop)
  const key = await personalKey(['project:read'], ['*'])
  const page = (await get(`${LIST}?limit=1&offset=1`, key)).json()
  expect([page.count, page.results[0].id]).toEqual([3, 'free'])
  expect(new URL(page.next).search).toBe('?limit=1&offset=2')
  expect(new URL(page.previous).search).toBe('?limit=1')
  expect(asked.map(bound)).toEqual([['free']])
})

test('ClickHouse is asked about one dataset at a time, once when it has events, now and then while it has none', async () => {
  const { get, personalKey, asked, clock } = recordingEnvironment(ofShop)
  const key = await personalKey(['project:read'], ['shop', 'free'])
  const datasets = () => asked.splice(0).flatMap(bound)
  await get(LIST, key)
  for (const { sql, parameters } of asked)
    expect(restrictedTables(sql, parameters, String(Object.values(parameters)[0]))).toBe(1)
  expect(datasets()).toEqual(['free', 'shop'])
  await get(LIST, key)
  expect(datasets()).toEqual([])
  await clock.advance(NONE_BELIEVED_MS)
  await get(LIST, key)
  expect(datasets()).toEqual(['free'])
})

test.each([
  [`${LIST}?limit=101`, 'limit'],
  [`${LIST}?offset=-1`, 'offset'],
  [`${LIST}?search=x`, 'search'],
  [`${LIST}/shop?search=x`, 'search'],
])('%s is refused, naming the parameter', async (address, attr) => {
  const { get, asked } = recordingEnvironment()
  const response = await get(address)
  expect([response.statusCode, response.json().attr]).toEqual([400, attr])
  expect(asked).toEqual([])
})

test('another dataset is answered like one that does not exist; rights are asked for, nothing changes, limits are counted', async () => {
  const { get, send, keys, personalKey } = recordingEnvironment(ofShop)
  const foreign = await get(`${LIST}/blog`)
  expect(foreign.statusCode).toBe(404)
  expect((await get(`${LIST}/nothing`)).json()).toEqual(foreign.json())
  const other = await personalKey(['insight:read'])
  for (const address of [LIST, `${LIST}/shop`]) {
    expect((await get(address, null)).statusCode).toBe(401)
    expect((await get(address, keys.shopWrite)).statusCode).toBe(403)
    expect((await get(address, other)).json().detail).toContain('project:read')
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE'] as const)
      expect(await send(method, address, keys.shopRead, {})).toMatchObject({
        status: 405,
        headers: { allow: 'GET' },
      })
    expect((await get(address)).headers['ratelimit-policy']).toBe('480;w=60;comment="burst"')
  }
})

test('requests past the limit are throttled', async () => {
  const { get } = recordingEnvironment(ofShop)
  for (let n = 0; n < 480; n++) expect((await get(LIST)).statusCode).toBe(200)
  expect((await get(LIST)).statusCode).toBe(429)
})
