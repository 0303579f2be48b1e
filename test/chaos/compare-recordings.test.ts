import { expect, test } from 'vitest'
import { type ChaosChunk, chaosChunk, chunkBody, chunkOf } from './chaos-chunks.ts'
import { type ChunkRow, compareRecordings } from './compare-recordings.ts'
import { ChaosLedger, FATE } from './ledger.ts'

const SEED = 7
const NOW_MS = 1_795_000_000_000

const lineOf = (chunk: ChaosChunk) => {
  const { properties } = chunkBody(SEED, chunk, NOW_MS) as {
    properties: { $window_id: string; $snapshot_data: unknown }
  }
  return JSON.stringify({ window_id: properties.$window_id, data: properties.$snapshot_data })
}

function rowOf(number: number, offset: number, change: Partial<ChunkRow> = {}): ChunkRow {
  const chunk = chaosChunk(SEED, number)
  const { dataset, eventId } = chunk
  return { partition: 0, offset, dataset, eventId, line: lineOf(chunk), ...change }
}

function ledgerOf(...fates: readonly number[]): ChaosLedger {
  const ledger = new ChaosLedger()
  fates.forEach((fate, number) => {
    ledger.book(number, fate)
  })
  return ledger
}

const compare = (rows: readonly ChunkRow[], end: number, ledger: ChaosLedger) => {
  const { verdict, faults } = compareRecordings(
    rows,
    [{ topic: 'recordings.raw', partition: 0, start: 0, end }],
    ledger,
    SEED,
  )
  const { lost, doubled, spurious, corrupted } = verdict
  return { wrong: [lost, doubled, spurious, corrupted], faults }
}

test('a chunk is known by its id, and only one of the run', () => {
  expect(chunkOf(SEED, chaosChunk(SEED, 12).eventId)).toEqual(chaosChunk(SEED, 12))
  for (const foreign of ['r8-12', 'r7-', 'r7-012', 'c7-12']) expect(chunkOf(SEED, foreign)).toBeNull()
})

test('recordings are right where each record is one row, also of a chunk that was sent twice or is in doubt', () => {
  const ledger = ledgerOf(FATE.acked, FATE.unknown, FATE.unknown, FATE.refused)
  const { wrong, faults } = compare([rowOf(0, 0), rowOf(1, 1), rowOf(0, 2)], 3, ledger)
  expect([wrong, faults]).toEqual([[0, 0, 0, 0], []])
})

test('a record without a row, and an acknowledged chunk without a record, are lost', () => {
  const { wrong, faults } = compare([rowOf(0, 0)], 2, ledgerOf(FATE.acked, FATE.acked))
  expect(wrong).toEqual([2, 0, 0, 0])
  expect(faults).toEqual([
    'recordings: record 0:1 has no row',
    'recordings: r7-1 was acknowledged and is not there',
  ])
})

test('a record that is two rows, and a refused chunk that is there, are told', () => {
  const { wrong } = compare([rowOf(0, 0), rowOf(0, 0), rowOf(1, 1)], 2, ledgerOf(FATE.acked, FATE.refused))
  expect(wrong).toEqual([0, 1, 1, 0])
})

test('what lies where a row says must be the chunk that was sent', () => {
  const other = lineOf(chaosChunk(SEED, 1))
  for (const line of [null, 'no json', other]) {
    const { wrong } = compare([rowOf(0, 0, { line })], 1, ledgerOf(FATE.acked))
    expect(wrong).toEqual([0, 0, 0, 1])
  }
  expect(compare([rowOf(0, 0, { dataset: 'other' })], 1, ledgerOf(FATE.unknown)).wrong).toEqual([0, 0, 0, 1])
})
