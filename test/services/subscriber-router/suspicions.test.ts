import { expect, test } from 'vitest'
import { createSuspicions, FAILURES_MAX } from '../../../services/subscriber-router/suspicions.ts'

test('a silent topic is suspected at once, the others only after repeated failures at one place', () => {
  const suspicions = createSuspicions()
  suspicions.failed(0, 10, ['a', 'b'], ['b'])
  expect([...suspicions.of(0)]).toEqual(['b'])
  for (let failure = 2; failure < FAILURES_MAX; failure++) suspicions.failed(0, 10, ['a', 'b'], [])
  expect([...suspicions.of(0)]).toEqual(['b'])
  suspicions.failed(0, 10, ['a', 'b'], [])
  expect([...suspicions.of(0)].sort()).toEqual(['a', 'b'])
  expect([...suspicions.of(1)]).toEqual([])
})

test('failures at other places, or before a commit, do not add up', () => {
  const suspicions = createSuspicions()
  for (let position = 0; position < 10; position++) suspicions.failed(0, position, ['a'], [])
  expect(suspicions.of(0).size).toBe(0)
  suspicions.failed(0, 9, ['a'], [])
  suspicions.clear(0)
  suspicions.failed(0, 9, ['a'], [])
  suspicions.failed(0, 9, ['a'], [])
  expect(suspicions.of(0).size).toBe(0)
})
