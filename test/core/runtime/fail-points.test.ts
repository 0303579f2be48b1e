import { expect, test } from 'vitest'
import { failPoints } from '../../../services/core/runtime/fail-points.ts'

test('a process is killed at the point that was asked for, at the pass that was asked for, and nowhere else', () => {
  let killed = 0
  const kill = () => {
    killed++
  }
  const none = failPoints(null, kill)
  none('after_plan')
  const third = failPoints('after_plan:3', kill)
  for (const name of ['after_plan', 'after_commit', 'after_plan', 'after_effect']) third(name)
  expect(killed).toBe(0)
  third('after_plan')
  expect(killed).toBe(1)
  failPoints('after_commit', kill)('after_commit')
  expect(killed).toBe(2)
})
