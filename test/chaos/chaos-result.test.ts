import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type ChaosRun, loadRun, saveRun } from './chaos-result.ts'

const dir = mkdtempSync(join(tmpdir(), 'millrace-chaos-result-'))
afterAll(() => rmSync(dir, { recursive: true }))

test('a run is found again as it was written down, and a directory without one is refused by name', () => {
  expect(() => loadRun(dir)).toThrow(`${dir} holds no run that came to its end`)
  const run: ChaosRun = {
    seed: 7,
    brokers: 1,
    startedAt: '2026-11-29T00:00:00.000Z',
    commit: 'abc1234',
    command: 'make chaos SEED=7',
    machine: '2 cores',
    seconds: 12.5,
    load: {
      acked: 10,
      stored: 1,
      refused: 0,
      unknown: 2,
      repeated: 3,
      conflicts: 1,
      failedTries: 4,
      oddAnswers: [],
      sent: 12,
    },
    faults: { 'kill -9 of a stage': 3 },
    figures: { 'kills collector': 3 },
    drainSeconds: 1.5,
    recovery: { firstCommit: { enricher: [900] }, accepting: [], fresh: [], catchUp: {}, outages: [] },
    rolling: { times: 2, failedTries: 0 },
    unplanned: [],
  }
  saveRun(dir, run)
  expect(loadRun(dir)).toEqual(run)
})
