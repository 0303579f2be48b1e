import { expect, test } from 'vitest'
import type { Clock } from '../../../services/core/runtime/clock.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { retry } from '../../../services/core/runtime/retry.ts'

function recordingClock(): Clock & { readonly slept: number[] } {
  const slept: number[] = []
  return { slept, now: () => 0, monotonic: () => 0, sleep: async (ms) => void slept.push(ms) }
}

const unavailable = () => new DependencyError('kafka', 'unavailable', 'No broker answers.')
const policy = { baseDelayMs: 100, maxDelayMs: 250, attempts: 4 }

test('retriable errors are tried again with growing pauses up to the limit, then rethrown as they are', async () => {
  const clock = recordingClock()
  const error = unavailable()
  const attempts: number[] = []
  const run = retry(policy, { clock, random: () => 1 }, async (n) => {
    attempts.push(n)
    throw error
  })
  await expect(run).rejects.toBe(error)
  expect(attempts).toEqual([1, 2, 3, 4])
  expect(clock.slept).toEqual([100, 200, 250])
})

test('what cannot be mended by repeating is thrown at once', async () => {
  const clock = recordingClock()
  const denied = new DependencyError('s3', 'denied', 'No.')
  await expect(retry(policy, { clock, random: () => 1 }, () => Promise.reject(denied))).rejects.toBe(denied)
  const bug = new TypeError('ours')
  await expect(retry(policy, { clock, random: () => 1 }, () => Promise.reject(bug))).rejects.toBe(bug)
  expect(clock.slept).toEqual([])
})

test('a stop while waiting ends the tries', async () => {
  const stop = new AbortController()
  const clock: Clock = { ...recordingClock(), sleep: async () => stop.abort() }
  let attempts = 0
  const run = retry(
    { ...policy, attempts: Number.POSITIVE_INFINITY },
    { clock, random: () => 1, signal: stop.signal },
    () => {
      attempts++
      return Promise.reject(unavailable())
    },
  )
  await expect(run).rejects.toThrow('No broker answers.')
  expect(attempts).toBe(1)
})

test('a success after failures is the result, and each failure was told', async () => {
  const told: number[] = []
  const env = {
    clock: recordingClock(),
    random: () => 0,
    onRetry: (_: unknown, attempt: number) => void told.push(attempt),
  }
  const result = await retry(policy, env, async (n) => {
    if (n < 3) throw unavailable()
    return 'done'
  })
  expect(result).toBe('done')
  expect(told).toEqual([1, 2])
})
