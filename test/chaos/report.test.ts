import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { readResults, renderReport } from './report.ts'

const dir = mkdtempSync(join(tmpdir(), 'millrace-report-'))
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const run = {
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

test('runs that measured less, as earlier versions did, are added up with those that measured all', () => {
  const measured = {
    firstCommit: { enricher: [6_000, 7_500] },
    accepting: [5_000],
    fresh: [14_000],
    catchUp: { enricher: [{ seconds: 12, timesLive: 3.5 }] },
    outages: [
      { away: 'S3', seconds: 60, otherBefore: 1, otherDuring: 1.05, catchUp: { seconds: 20, timesLive: 4 } },
    ],
  }
  const before = { afterKill: { enricher: [6_100] }, accepting: [4_000], fresh: [13_000] }
  for (const [index, recovery] of [before, measured].entries())
    writeFileSync(join(dir, `result-${index}.json`), JSON.stringify({ ...run, recovery }))
  const lines = renderReport(readResults(dir), 'a machine').split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      '| a partition of a killed enricher is committed by its successor | 6.0 s, 7.5 s (2) |',
      '| a partition of a killed s3-sink is committed by its successor | not measured |',
      '| everything killed, until an event is accepted | 4.0 s, 5.0 s (2) |',
      '| enricher | 12.0 s, 12.0 s (1) | 3.5, 3.5 |',
      '| S3, 60 s | 1.00 s, 1.05 s | 1.05 | 20.0 s | 4.0 |',
    ]),
  )
})
