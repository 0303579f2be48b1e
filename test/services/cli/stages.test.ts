import { expect, test } from 'vitest'
import { loadStage, OPS_PORTS, STAGE_NAMES } from '../../../services/cli/stages.ts'

test.each(STAGE_NAMES)(
  '%s loads under its own name',
  async (name) => {
    const stage = await loadStage(name)
    expect(stage.name).toBe(name)
    expect(Object.keys(stage.settings)).not.toEqual([])
  },
  30_000,
)

test('no two stages share an ops port', () => {
  expect(new Set(Object.values(OPS_PORTS)).size).toBe(STAGE_NAMES.length)
})
