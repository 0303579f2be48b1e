import { expect, test } from 'vitest'
import { createMemoryRateCounters } from '../../../../services/query-api/http/memory-rate-counters.ts'
import { rateCountersContract } from '../../../contract/rate-counters.ts'

rateCountersContract('memory', async (nowMs) => createMemoryRateCounters({ monotonic: nowMs }, () => {}))

test('memory is bounded: who was not asked for longest is forgotten, and that is told', async () => {
  let forgotten = 0
  const counters = createMemoryRateCounters({ monotonic: () => 0 }, () => forgotten++, 170)
  const limits = [{ scope: 'only', requests: 1, windowMs: 1_000 }]
  for (const identity of ['a', 'b', 'c', 'd', 'e']) await counters.take(identity, limits)
  expect((await counters.take('a', limits)).admitted).toBe(false)
  await counters.take('f', limits)
  await counters.take('g', limits)
  expect(forgotten).toBe(2)
  expect((await counters.take('a', limits)).admitted).toBe(false)
  expect((await counters.take('b', limits)).admitted).toBe(true)
})
