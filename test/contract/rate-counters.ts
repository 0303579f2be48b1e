import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { RateCounters } from '../../services/query-api/http/rate-counters.ts'
import { RATE_LIMITS, type RateLimit } from '../../services/query-api/http/rate-limits.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

/** What every counter must do. `open` is given the time to count by. */
export function rateCountersContract(
  name: string,
  open: (nowMs: () => number) => Promise<RateCounters>,
): void {
  describe(`rate counters contract: ${name}`, () => {
    let elapsedMs = 0
    let counters: RateCounters
    let identities = 0
    const newIdentity = () => `dataset:d${identities++}`
    const send = async (
      identity: string,
      requests: number,
      limits: readonly RateLimit[] = RATE_LIMITS.default,
    ) => {
      let admitted = 0
      for (let i = 0; i < requests; i++) if ((await counters.take(identity, limits)).admitted) admitted++
      return admitted
    }

    beforeAll(async () => {
      counters = await open(() => 1_000_000 + elapsedMs)
    })
    afterAll(() => counters.close())

    test('so many as the limit are admitted, and one more is not', async () => {
      const identity = newIdentity()
      expect(await send(identity, 479)).toBe(479)
      expect(await counters.take(identity, RATE_LIMITS.default)).toMatchObject({
        admitted: true,
        states: [{ remaining: 0 }, { remaining: 4_320 }],
      })
      expect(await counters.take(identity, RATE_LIMITS.default)).toMatchObject({
        admitted: false,
        states: [
          { remaining: 0, freedInMs: MINUTE_MS },
          { remaining: 4_320, freedInMs: HOUR_MS },
        ],
      })
    })

    test('over the edge of a window there are never more than the limit in any minute', async () => {
      const identity = newIdentity()
      expect(await send(identity, 1)).toBe(1)
      elapsedMs += MINUTE_MS - 1
      expect(await send(identity, 480)).toBe(479)
      // The first one is exactly a minute old and free again; the others are not.
      elapsedMs += 1
      expect(await send(identity, 3)).toBe(1)
      elapsedMs += MINUTE_MS - 2
      expect(await send(identity, 1)).toBe(0)
      elapsedMs += 1
      expect(await send(identity, 480)).toBe(479)
    })

    test('a request that was refused is counted nowhere', async () => {
      const identity = newIdentity()
      expect(await send(identity, 480)).toBe(480)
      elapsedMs += MINUTE_MS - 1
      expect(await send(identity, 100)).toBe(0)
      elapsedMs += 1
      expect(await send(identity, 480)).toBe(480)
    })

    test('the hour has its own limit, over many minutes', async () => {
      const identity = newIdentity()
      for (let minute = 0; minute < 10; minute++) {
        expect(await send(identity, 480)).toBe(480)
        elapsedMs += MINUTE_MS
      }
      const { admitted, states } = await counters.take(identity, RATE_LIMITS.default)
      expect([admitted, states[0]?.remaining, states[1]]).toEqual([
        false,
        480,
        { remaining: 0, freedInMs: 50 * MINUTE_MS },
      ])
      elapsedMs += 50 * MINUTE_MS
      expect(await send(identity, 481)).toBe(480)
    })

    test('identities and scopes are counted apart, and persons share the burst of ClickHouse', async () => {
      const [one, other] = [newIdentity(), newIdentity()]
      expect(await send(one, 241, RATE_LIMITS.clickhouse)).toBe(240)
      expect(await send(one, 1, RATE_LIMITS.persons)).toBe(0)
      expect(await send(one, 1)).toBe(1)
      expect(await send(other, 1, RATE_LIMITS.persons)).toBe(1)
    })

    test('of requests at once so many as the limit are admitted', async () => {
      const identity = newIdentity()
      const taken = await Promise.all(
        Array.from({ length: 500 }, () => counters.take(identity, RATE_LIMITS.clickhouse)),
      )
      expect(taken.filter(({ admitted }) => admitted)).toHaveLength(240)
    })

    test('whenever requests come, what is admitted is what a list of all of them says', async () => {
      const limits = [
        { scope: 'short', requests: 3, windowMs: 100 },
        { scope: 'long', requests: 5, windowMs: 1_000 },
      ]
      await fc.assert(
        fc.asyncProperty(fc.array(fc.nat(150), { maxLength: 60 }), async (pauses) => {
          const identity = newIdentity()
          const served: number[] = []
          for (const pause of pauses) {
            elapsedMs += pause
            const counted = (windowMs: number) => served.filter((at) => elapsedMs < at + windowMs).length
            const expected = counted(100) < 3 && counted(1_000) < 5
            expect((await counters.take(identity, limits)).admitted).toBe(expected)
            if (expected) served.push(elapsedMs)
          }
        }),
        { numRuns: 50 },
      )
    })
  })
}
