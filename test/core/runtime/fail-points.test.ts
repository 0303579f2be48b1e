import { expect, test } from 'vitest'
import {
  FAIL_POINT_SETTING,
  type FailWorld,
  failPoints,
  parseFailPlans,
} from '../../../services/core/runtime/fail-points.ts'
import { parseSettings, SettingsError } from '../../../services/core/runtime/settings.ts'

function recordingWorld(draws: number[] = []): FailWorld & { readonly effects: string[] } {
  const effects: string[] = []
  let now = 0
  return {
    effects,
    note: (text) => void effects.push(text),
    kill: (afterMs) => void effects.push(`killed after ${afterMs}`),
    sleep: async (ms) => void effects.push(`slept ${ms}`),
    monotonic: () => (now += 400),
    random: () => draws.shift() ?? 1,
  }
}

test('a process is killed at the point that was asked for, at the pass that was asked for, and nowhere else', () => {
  const world = recordingWorld()
  const third = failPoints(parseFailPlans('after_plan:3'), world)
  for (const name of ['after_plan', 'after_commit', 'after_plan', 'after_effect']) third(name)
  expect(world.effects).toEqual([])
  third('after_plan')
  third('after_plan')
  expect(world.effects).toEqual(['fail point after_plan: kill', 'killed after 0'])
  failPoints(null, world)('after_plan')
  expect(world.effects).toHaveLength(2)
})

test('several points can be asked for, each with a count or a share and an effect of its own', async () => {
  const world = recordingWorld([0.5, 0.009])
  const point = failPoints(parseFailPlans('a:1%=sleep 20s, b=throw, c=busy 1s, d=kill 5ms'), world)
  point('a')
  expect(world.effects).toEqual([])
  await point('a')
  expect(world.effects).toEqual(['fail point a: sleep', 'slept 20000'])
  expect(() => point('b')).toThrow('asked to throw')
  point('b')
  point('d')
  expect(world.effects.at(-1)).toBe('killed after 5')
  const before = world.monotonic()
  point('c')
  expect(world.monotonic() - before).toBeGreaterThanOrEqual(1000)
})

test.each([
  'After Plan',
  'after_plan:0',
  'after_plan:0%',
  'after_plan:101%',
  'after_plan=stop',
  'a=sleep',
  'a,',
])('%j is no fail point', (asked) => {
  expect(() => parseSettings({ failPoint: FAIL_POINT_SETTING }, { MILLRACE_FAIL_POINT: asked })).toThrow(
    SettingsError,
  )
})
