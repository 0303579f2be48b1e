import { expect, test } from 'vitest'
import { createIdempotencyCache, eventDigests } from '../../../services/collector/idempotency.ts'
import { OTHER_KEY, openCollector } from './open-collector.ts'

const under = (name: string, key?: string) => ({ headers: { 'idempotency-key': name }, ...(key && { key }) })
const ids = (answer: { body: { results: { event_id: string }[] } }) =>
  answer.body.results.map((one) => one.event_id)

test('another body under the same key is refused and nothing of it is taken', async () => {
  const collector = openCollector()
  await collector.post([{ event: 'a' }, { event: 'b' }], under('k'))
  for (const body of [[{ event: 'c' }], [{ event: 'a' }, { event: 'c' }], [{ event: 'a' }, { event: 'a' }]])
    expect(await collector.post(body, under('k'))).toMatchObject({
      status: 422,
      body: { code: 'idempotency_conflict', attr: 'idempotency-key' },
    })
  expect(collector.records).toHaveLength(2)
})

test('a retry, whole or in part and in any order, gets the same ids', async () => {
  const collector = openCollector()
  const events = [
    { event: 'a' },
    { event: 'b' },
    { event: 'a' },
    { event: 'c', event_id: 'own' },
    { event: 7 },
  ]
  const first = ids(await collector.post(events, under('k')))
  expect(first[3]).toBe('own')
  expect(new Set(first).size).toBe(5)
  expect(ids(await collector.post(events, under('k')))).toEqual(first)
  expect(ids(await collector.post([events[4], events[1]], under('k')))).toEqual([first[4], first[1]])
  expect(ids(await collector.post([events[0]], under('k')))).toEqual([first[0]])
})

test('the same events under another key, or of another dataset, are other events', async () => {
  const collector = openCollector()
  const [first] = ids(await collector.post([{ event: 'a' }], under('k')))
  const [second] = ids(await collector.post([{ event: 'a' }], under('l')))
  const [third] = ids(await collector.post([{ event: 'a' }], under('k', OTHER_KEY)))
  expect(new Set([first, second, third]).size).toBe(3)
})

test('a key has 1 to 200 bytes', async () => {
  const collector = openCollector()
  expect((await collector.post({ event: 'a' }, under('k'.repeat(200)))).status).toBe(200)
  for (const key of ['', 'k'.repeat(201)])
    expect(await collector.post({ event: 'a' }, under(key))).toMatchObject({
      status: 400,
      body: { code: 'invalid_header' },
    })
})

test('a dry run does not use a key up', async () => {
  const collector = openCollector()
  await collector.post({ event: 'a' }, { path: '/v1/validate', ...under('k') })
  expect((await collector.post({ event: 'b' }, under('k'))).status).toBe(200)
})

test('keys are forgotten after a day, and the oldest first when memory is short', () => {
  let now = 1_000
  const clock = { now: () => now, monotonic: () => now, sleep: () => Promise.resolve() }
  const digests = (text: string) => eventDigests('d', 'k', [Buffer.from(text)])
  const cache = createIdempotencyCache(500, clock)
  expect(cache.admit('d', 'k1', digests('a'))).toBe(true)
  expect(cache.admit('d', 'k1', digests('b'))).toBe(false)
  now += 24 * 3_600_000 + 1
  expect(cache.admit('d', 'k1', digests('b'))).toBe(true)
  cache.admit('d', 'k2', digests('a'))
  cache.admit('d', 'k3', digests('a'))
  expect(cache.admit('d', 'k3', digests('b'))).toBe(false)
  expect(cache.admit('d', 'k1', digests('a'))).toBe(true)
})
