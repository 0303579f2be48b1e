import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { FAULTS } from '../chaos/faults.ts'
import { renderResult } from '../chaos/render-result.ts'
import { runChaos } from '../chaos/run-chaos.ts'
import { isBalanced } from '../chaos/verdict.ts'

/** The short run: what `make chaos` does for hours, with its seed fixed. Longer than it takes, never shorter. */
const FAULTS_MS = 75_000
/** A run in which nothing was hit proves nothing. */
const LEAST_KILLS = 9
/**
 * A lone broker that is killed can lose the end of a transaction for ever (docs/kafka.md), which proves nothing about
 * millrace: the long runs kill it, and `test/integration/kafka-crash.test.ts`. Kills of stages come first: there is time for
 * some thirty faults.
 */
const faults = FAULTS.filter(({ name }) => name !== 'kill -9 of a broker').map((fault) =>
  /^kill -9 (at|of a stage)/.test(fault.name) ? { ...fault, weight: 2 * fault.weight } : fault,
)
const stateDir = mkdtempSync(join(tmpdir(), 'millrace-chaos-'))

afterAll(() => rmSync(stateDir, { recursive: true, force: true }))

test('whatever is killed, stopped and cut, every acknowledged event is everywhere once', {
  timeout: 600_000,
}, async () => {
  const result = await runChaos({
    stateDir,
    seed: 4,
    command: 'make test',
    faultsMs: FAULTS_MS,
    leastKills: LEAST_KILLS,
    brokers: 1,
    eventsPerSecond: 300,
    recoveries: 0,
    rolling: 2,
    faults,
    print: () => {},
    progress: () => {},
  })
  expect(isBalanced(result.verdict), renderResult(result)).toBe(true)
  const { figures, load, verdict } = result
  const kills = Object.entries(figures).filter(([name]) => name.startsWith('kills '))
  expect(kills.reduce((sum, [, times]) => sum + times, 0)).toBeGreaterThanOrEqual(LEAST_KILLS)
  expect(figures['plans replayed'], renderResult(result)).toBeGreaterThan(0)
  expect(load.repeated).toBeGreaterThan(0)
  expect(verdict.duplicatesRemoved).toBeGreaterThan(0)
})
