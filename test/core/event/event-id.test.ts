import { createHash, randomFillSync } from 'node:crypto'
import { expect, test } from 'vitest'
import { uuidFromDigest, uuidv7Generator } from '../../../services/core/event/event-id.ts'

const zeros = (bytes: Uint8Array) => {
  bytes.fill(0)
}
const V7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

test('an id carries its time, version and variant', () => {
  const next = uuidv7Generator({ now: () => 0x0102_0304_0506, randomFill: zeros })
  expect(next()).toBe('01020304-0506-7000-8000-000000000000')
})

test('ids go up strictly while the clock stands still, past a full counter, and when it steps back', () => {
  let now = 1_800_000_000_000
  const next = uuidv7Generator({ now: () => now, randomFill: (bytes) => void randomFillSync(bytes) })
  const ids: string[] = []
  for (let i = 0; i < 10_000; i++) ids.push(next())
  now -= 3_600_000
  for (let i = 0; i < 10; i++) ids.push(next())
  now += 7_200_000
  ids.push(next())
  expect(ids.every((id) => V7.test(id))).toBe(true)
  expect(ids).toEqual([...ids].sort())
  expect(new Set(ids).size).toBe(ids.length)
})

test('two generators in one millisecond make different ids', () => {
  const env = { now: () => 1_800_000_000_000, randomFill: (bytes: Uint8Array) => void randomFillSync(bytes) }
  expect(uuidv7Generator(env)()).not.toBe(uuidv7Generator(env)())
})

test('a digest becomes a version 8 UUID, the same each time', () => {
  const digest = createHash('sha256').update('a').digest()
  expect(uuidFromDigest(digest)).toBe(uuidFromDigest(digest))
  expect(uuidFromDigest(digest)).toMatch(
    /^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
  )
})
