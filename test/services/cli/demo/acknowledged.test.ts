import { expect, test } from 'vitest'
import { watchAcknowledged } from '../../../../services/cli/demo/acknowledged.ts'

const keys = new Map([['mr_w_shop', 'shop']])
const answering = (status: number, body: unknown) => () =>
  Promise.resolve({ status, retryAfterMs: null, body: JSON.stringify(body) })
const headers = { authorization: 'Bearer mr_w_shop' }

test('every verdict of an acknowledged request counts, accepted or rejected, and repetitions add up', async () => {
  const answer = {
    accepted: 1,
    rejected: 1,
    results: [
      { event_id: 'a', status: 'accepted' },
      { event_id: 'b', status: 'rejected' },
    ],
  }
  const { post, events } = watchAcknowledged(answering(200, answer), keys)
  await post('', headers)
  await post('', headers)
  expect(Object.fromEntries(events)).toEqual({ 'shop/a': 2, 'shop/b': 2 })
})

test('what was refused as a whole counts nothing', async () => {
  const { post, events } = watchAcknowledged(answering(503, { code: 'not_taken' }), keys)
  await post('', headers)
  expect(events.size).toBe(0)
})
