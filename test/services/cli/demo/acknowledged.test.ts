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
  const body = JSON.stringify({ batch: [{ event: 'purchase' }, 'no event'] })
  await post(body, headers)
  await post(body, headers)
  expect(Object.fromEntries(events)).toEqual({ 'shop/a': 2, 'shop/b': 2 })
})

test('what was sent under an id is known, and another payload under the same id changes it not', async () => {
  const answer = (event_id: string) => answering(200, { results: [{ event_id, status: 'accepted' }] })()
  let next = 'a'
  const { post, sent } = watchAcknowledged(() => answer(next), keys)
  const purchase = (amount: number, userAgent: string) =>
    JSON.stringify({ batch: [{ event: 'purchase', properties: { amount }, context: { userAgent } }] })
  await post(purchase(20, 'Mozilla/5.0 (X11; Linux)'), headers)
  await post(purchase(1, 'Mozilla/5.0 (X11; Linux)'), headers)
  next = 'b'
  await post(purchase(7, 'Mozilla/5.0 (compatible; bingbot/2.0)'), headers)
  expect(Object.fromEntries(sent)).toEqual({
    'shop/a': { dataset: 'shop', name: 'purchase', amount: 20, isBot: false },
    'shop/b': { dataset: 'shop', name: 'purchase', amount: 7, isBot: true },
  })
})

test('what was refused as a whole counts nothing', async () => {
  const { post, events } = watchAcknowledged(answering(503, { code: 'not_taken' }), keys)
  await post('{"batch":[]}', headers)
  expect(events.size).toBe(0)
})
