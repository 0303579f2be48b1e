import { expect, test } from 'vitest'
import { openCollector, WRITE_KEY } from './open-collector.ts'

const get = (collector: ReturnType<typeof openCollector>, query: string, method: 'GET' | 'HEAD' = 'GET') =>
  collector.server.app.inject({ method, url: `/v1/pixel?${query}` })
const key = `write_key=${WRITE_KEY}`

test('without a good key there is no image and no event', async () => {
  const collector = openCollector()
  for (const query of ['event=a', 'event=a&write_key=x'])
    expect((await get(collector, query)).statusCode).toBe(401)
  expect(collector.records).toEqual([])
})

test('a broken event still gets its image, and is a rejected event', async () => {
  const collector = openCollector()
  for (const query of [
    '',
    'event=',
    'event=%ff',
    'event=a&properties=%7B%22x%22%3A1e999%7D',
    `event=${'a'.repeat(201)}`,
  ]) {
    const answer = await get(collector, `${query}&${key}`)
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 'image/gif'])
  }
  expect(collector.raw().map((raw) => raw.refused?.code)).toEqual([
    'missing_field',
    'invalid_value',
    'invalid_utf8',
    'invalid_value',
    'text_too_long',
  ])
  for (const record of collector.records) expect(record.value?.toString()).not.toContain(WRITE_KEY)
})

test('the query is the event: members, page, properties and the rest', async () => {
  const collector = openCollector()
  const answer = await get(
    collector,
    `event=view&event_id=e&distinct_id=d&url=${encodeURIComponent('https://a.example/?x=1&y=2')}&title=A+B%20C` +
      `&plan=free&plan=paid&__proto__=p&properties=${encodeURIComponent('{"n":1,"plan":"json"}')}&sent_at=s&${key}`,
  )
  expect(answer.rawPayload.subarray(0, 6).toString()).toBe('GIF89a')
  expect(answer.headers['cache-control']).toBe('no-store')
  const [raw] = collector.raw()
  expect(raw).toMatchObject({ protocol: 'pixel', event_id: 'e', sent_at: 's' })
  expect(JSON.stringify(raw?.event)).toBe(
    JSON.stringify({
      event: 'view',
      event_id: 'e',
      distinct_id: 'd',
      properties: JSON.parse('{"plan":"json","__proto__":"p","n":1}'),
      context: { page: { url: 'https://a.example/?x=1&y=2', title: 'A B C' } },
    }),
  )
})

test('properties that are no object stay as they are, for the enricher to refuse', async () => {
  const collector = openCollector()
  await get(collector, `event=a&properties=%5B1%5D&${key}`)
  await get(collector, `event=a&properties=nonsense&${key}`)
  expect(collector.raw().map((raw) => raw.event?.properties)).toEqual([[1], 'nonsense'])
})

test('asking for the head records nothing', async () => {
  const collector = openCollector()
  const answer = await get(collector, `event=a&${key}`, 'HEAD')
  expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 'image/gif'])
  expect(collector.records).toEqual([])
})
