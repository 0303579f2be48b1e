import { expect, test } from 'vitest'
import { createLedger } from '../../../../services/cli/generate/ledger.ts'
import { sendTraffic } from '../../../../services/cli/generate/send-traffic.ts'
import type { TrafficRequest } from '../../../../services/cli/generate/traffic.ts'
import type { Post, PostAnswer } from '../../../../services/cli/ingest/http-post.ts'

const acknowledged = (statuses: readonly string[]): PostAnswer => ({
  status: 200,
  retryAfterMs: null,
  body: JSON.stringify({ results: statuses.map((status) => ({ status, code: 'too_deep' })) }),
})

function request(over: Partial<TrafficRequest> = {}): TrafficRequest {
  return {
    dataset: 'shop',
    body: '{"batch":[1,2]}',
    idempotencyKey: 'k',
    events: 2,
    ids: 2,
    expectedRejected: { too_deep: 1 },
    sendTwice: false,
    ...over,
  }
}

async function run(
  requests: readonly TrafficRequest[],
  answers: readonly (PostAnswer | Error)[],
  rate?: number,
) {
  const posts: { body: string; headers: Readonly<Record<string, string>> }[] = []
  const left = [...answers]
  const sleeps: number[] = []
  let nowMs = 0
  const post: Post = async (body, headers) => {
    posts.push({ body, headers })
    const answer = left.shift() ?? acknowledged(['accepted', 'accepted'])
    if (answer instanceof Error) throw answer
    return answer
  }
  const clock = {
    now: () => nowMs,
    monotonic: () => nowMs,
    sleep: async (ms: number) => {
      sleeps.push(ms)
      nowMs += ms
    },
  }
  const ledger = createLedger(['shop'])
  const env = { post, clock, random: () => 1, signal: new AbortController().signal }
  await sendTraffic(env, requests.values() as Iterator<TrafficRequest, void, undefined>, ledger, {
    keys: new Map([['shop', 'mr_w_x']]),
    concurrency: 1,
    eventsPerSecond: rate ?? null,
    policy: { triesMax: 3, baseDelayMs: 100, maxDelayMs: 1000 },
  })
  return { book: ledger.datasets.shop!, posts, sleeps }
}

test('a request without an answer is sent again with the same bytes and the same Idempotency-Key', async () => {
  const { book, posts } = await run([request()], [new Error('socket hang up')])
  expect(posts.length).toBe(2)
  expect(posts[1]).toEqual(posts[0])
  expect(book).toMatchObject({ sent: 2, accepted: 2, resent: 2, retried: 0, unknown: 0, unique_ids: 2 })
})

test('a request that is never answered is booked as unknown, not as refused', async () => {
  const gone = new Error('socket hang up')
  const { book, posts } = await run([request()], [gone, gone, gone])
  expect(posts.length).toBe(3)
  expect(book).toMatchObject({ sent: 2, accepted: 0, unknown: 2, refused: 0, unique_ids: 0 })
  expect(book.expected_rejected).toEqual({})
  expect(book.problems).toEqual(['socket hang up'])
})

test('503 not_taken and 429 wait as long as Retry-After says and are not in doubt', async () => {
  const later = (status: number, s: number): PostAnswer => ({
    status,
    retryAfterMs: s * 1000,
    body: '{"code":"not_taken"}',
  })
  const { book, sleeps } = await run([request()], [later(503, 7), later(429, 2)])
  expect(sleeps).toEqual([7000, 2000])
  expect(book).toMatchObject({ accepted: 2, resent: 0, requests: { told_to_wait: 2, acknowledged: 1 } })
})

test('503 unknown is in doubt: the copy may be a duplicate', async () => {
  const { book } = await run(
    [request()],
    [{ status: 503, retryAfterMs: 1000, body: '{"code":"unknown"}' }, acknowledged(['accepted', 'accepted'])],
  )
  expect(book).toMatchObject({ accepted: 2, resent: 2, requests: { told_to_wait: 0 } })
})

test('a 4xx is final and its events are booked as refused', async () => {
  const { book, posts } = await run([request()], [{ status: 401, retryAfterMs: null, body: '{"code":"no"}' }])
  expect(posts.length).toBe(1)
  expect(book).toMatchObject({ sent: 2, refused: 2, accepted: 0 })
  expect(book.problems[0]).toContain('HTTP 401')
})

test('verdicts are counted one by one, and a repetition only as a repetition', async () => {
  const verdicts = acknowledged(['accepted', 'rejected'])
  const { book, posts } = await run([request({ sendTwice: true })], [verdicts, verdicts])
  expect(posts[1]).toEqual(posts[0])
  expect(book).toMatchObject({
    sent: 2,
    accepted: 1,
    rejected: 1,
    rejected_by_code: { too_deep: 1 },
    expected_rejected: { too_deep: 1 },
    retried: 2,
    unique_ids: 2,
  })
})

test('a 200 whose verdicts are not one per event counts as unknown', async () => {
  const { book } = await run([request()], [acknowledged(['accepted'])])
  expect(book).toMatchObject({ unknown: 2, accepted: 0 })
})

test('the rate is kept from the first event on', async () => {
  const { sleeps } = await run([request(), request(), request()], [], 4)
  expect(sleeps).toEqual([500, 500])
})
