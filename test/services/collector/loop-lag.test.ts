import { expect, test } from 'vitest'
import { createLoopLag } from '../../../services/collector/loop-lag.ts'

/** A clock whose sleeps last as long as the test says, in turn. */
async function lagAfter(sleepsMs: readonly number[]): Promise<number> {
  const stop = new AbortController()
  let nowMs = 0
  let next = 0
  const lag = createLoopLag({
    now: () => 0,
    monotonic: () => nowMs,
    async sleep() {
      nowMs += sleepsMs[next++]!
      if (next === sleepsMs.length) stop.abort()
    },
  })
  await lag.run(stop.signal)
  return lag.lagMs()
}

test('one long pause says little, a loop that is always late says it all, and rest is seen soon', async () => {
  const late = Array.from({ length: 20 }, () => 320)
  expect(await lagAfter([20, 20, 220])).toBeCloseTo(40)
  expect(await lagAfter(late)).toBeGreaterThan(290)
  expect(await lagAfter([...late, ...Array.from({ length: 10 }, () => 20)])).toBeLessThan(40)
  expect(await lagAfter([20, 19, 20])).toBe(0)
})
