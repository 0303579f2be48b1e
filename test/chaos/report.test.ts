import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { keepResults, readResults, renderReport } from './report.ts'

const dir = mkdtempSync(join(tmpdir(), 'millrace-report-'))
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const run = {
  startedAt: '2026-11-28T18:00:00.000Z',
  commit: 'abc1234',
  command: 'make chaos SEED=1',
  machine: 'a machine',
  seconds: 600,
  load: { stored: 0, unknown: 0, repeated: 0 },
  faults: {},
  figures: { 'kills enricher': 3 },
  rolling: { times: 0, failedTries: 0 },
  verdict: {
    acknowledged: 10,
    lost: 0,
    duplicated: 0,
    duplicatesRemoved: 0,
    rejectedByCode: {},
    places: [],
    faults: [],
  },
}

test('runs are added up and kept once, and recovery is that of the newest run that measured it', () => {
  const measured = {
    firstCommit: { enricher: [6_000, 7_500] },
    accepting: [5_000],
    fresh: [14_000],
    catchUp: { enricher: [{ seconds: 12, timesLive: 3.5 }] },
    outages: [
      { away: 'S3', seconds: 60, otherBefore: 1, otherDuring: 1.05, catchUp: { seconds: 20, timesLive: 4 } },
    ],
  }
  const nothing = { firstCommit: {}, accepting: [], fresh: [], catchUp: {}, outages: [] }
  const slower = { ...measured, firstCommit: { enricher: [9_000] } }
  for (const [index, recovery] of [measured, nothing, slower].entries()) {
    const startedAt = `2026-11-28T1${8 - index}:00:00.000Z`
    writeFileSync(join(dir, `result-${index}.json`), JSON.stringify({ ...run, startedAt, recovery }))
  }
  const kept = join(dir, 'kept')
  expect([keepResults(dir, kept), keepResults(dir, kept)]).toEqual([3, 0])
  const lines = renderReport(readResults(kept)).split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      '`make chaos`, 3 runs of 30 minutes in all, on a machine.',
      '| 2026-11-28 18:00 | abc1234 | `make chaos SEED=1` | 10 | 10 | 0, 0 |',
      'Recovery as the newest run that measured it did, commit abc1234, `make chaos SEED=1`:',
      '| a partition of a killed enricher is committed by its successor | 6.0 s, 7.5 s (2) |',
      '| a partition of a killed s3-sink is committed by its successor | not measured |',
      '| everything killed, until an event is accepted | 5.0 s, 5.0 s (1) |',
      '| enricher | 12.0 s, 12.0 s (1) | 3.5, 3.5 |',
      '| S3, 60 s | 1.00 s, 1.05 s | 1.05 | 20.0 s | 4.0 |',
    ]),
  )
})
