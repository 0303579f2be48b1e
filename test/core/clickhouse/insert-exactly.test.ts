import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type InsertTarget, insertExactly } from '../../../services/core/clickhouse/insert-exactly.ts'
import {
  insertSettings,
  rowsOfSettingsId,
  settingsId,
} from '../../../services/core/clickhouse/insert-settings.ts'
import { createRowBuffer } from '../../../services/core/clickhouse/row-buffer.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { type InsertFate, memoryWarehouse } from '../../services/clickhouse-sink/memory-warehouse.ts'

const SOURCES = [3, 4, 7, 8, 20]
/** Under which a batch of another range inserted some of them. */
const OTHER = { insert_deduplication_token: 'millrace:t:id:2:103-104#1' }

/** @param blocks how many the table remembers */
function world(sources: readonly number[] = SOURCES, blocks = Number.POSITIVE_INFINITY) {
  const warehouse = memoryWarehouse({ blocks, ageMs: 0, clock: { monotonic: () => 0 } })
  const rows = createRowBuffer()
  for (const src of sources)
    rows.add(
      Buffer.from(JSON.stringify({ src_partition: 2, src_offset: src, text: `row ${src}` })),
      src,
      src + 100,
      src,
    )
  let tries = 0
  const hold = { confirms: 0, isStale: false, isLost: false }
  const target: InsertTarget = {
    clickhouse: warehouse.clickhouse,
    table: 'events',
    partition: 2,
    settings: insertSettings(100),
    token: 'millrace:t:id:2:103-120',
    nonce: () => `n${++tries}`,
    hold: {
      async confirm() {
        hold.confirms++
        if (hold.isLost) throw new DependencyError('kafka', 'not_assigned', 'It is another process’s.')
        hold.isStale = false
      },
      requireFresh() {
        if (hold.isStale) throw new DependencyError('kafka', 'timeout', 'It was confirmed long ago.')
      },
    },
  }
  return { warehouse, rows, target, hold }
}

describe('the plan is this process’s when an insert begins', () => {
  test('a first insert that comes too late is not sent, but confirmed and begun again', async () => {
    const { warehouse, rows, target, hold } = world()
    hold.isStale = true
    expect(await insertExactly(target, rows, false)).toMatchObject({ inserted: 5, verified: true })
    expect([warehouse.inserts, hold.confirms]).toEqual([['events 5 #1'], 1])
  })

  test('every repeat is confirmed first, and none is sent for a plan that went to another process', async () => {
    const { warehouse, rows, target, hold } = world()
    hold.isLost = true
    warehouse.fates.push('lost')
    await expect(insertExactly(target, rows, false)).rejects.toMatchObject({ code: 'not_assigned' })
    expect(warehouse.sources('events')).toEqual([])
  })

  test('a batch whose first insert has a clean answer costs no confirmation', async () => {
    const { rows, target, hold } = world()
    await insertExactly(target, rows, false)
    expect(hold.confirms).toBe(0)
  })
})

describe('an insert without a clean answer', () => {
  test.each<[InsertFate, readonly string[]]>([
    ['lost', ['events 5 #1', 'events 5 #1']],
    ['answer_lost', ['events 5 #1']],
    ['still_running', ['events 5 #1']],
    ['token_without_rows', ['events 5 #1', 'events 5 #1', 'events 5 #2']],
    ['half', ['events 5 #1', 'events 3 #1', 'events 3 #2']],
  ])('%s: counted by source, what is missing is inserted under the next token', async (fate, inserts) => {
    const { warehouse, rows, target } = world()
    warehouse.fates.push(fate)
    const outcome = await insertExactly(target, rows, false)
    expect(outcome).toMatchObject({ inserted: 5, refused: [], verified: true })
    expect(warehouse.sources('events').sort((a, b) => a - b)).toEqual(SOURCES)
    expect(warehouse.inserts).toEqual(inserts)
  })

  test('tokens that were written down without rows again and again are passed one by one', async () => {
    const { warehouse, rows, target } = world()
    warehouse.fates.push('token_without_rows')
    await insertExactly(target, rows, false)
    warehouse.rows('events').length = 0 // Round 2's token stays known, its rows are gone too.
    const outcome = await insertExactly(target, rows, true)
    expect(outcome).toMatchObject({ inserted: 5, repaired: 10 })
    expect(warehouse.sources('events')).toEqual(SOURCES)
    expect(warehouse.inserts.slice(-3)).toEqual(['events 5 #1', 'events 5 #2', 'events 5 #3'])
  })

  test('whatever fates inserts meet, however often it is tried and whatever was there before, every row is there once', async () => {
    const fate = fc.constantFrom<InsertFate>(
      'clean',
      'lost',
      'answer_lost',
      'token_without_rows',
      'half',
      'still_running',
    )
    await fc.assert(
      fc.asyncProperty(
        fc.array(fate, { maxLength: 8 }),
        fc.boolean(),
        fc.boolean(),
        async (fates, poisoned, isStray) => {
          const { warehouse, rows, target } = world()
          if (isStray) await target.clickhouse.insert('events', 'JSONEachRow', rows.pick([0, 1]), OTHER)
          warehouse.fates.push(...fates)
          if (poisoned) warehouse.refuse((line) => line.includes('row 7'))
          let mayHaveBegun = isStray
          for (;;) {
            try {
              const { inserted, refused } = await insertExactly(target, rows, mayHaveBegun)
              expect([inserted, refused.map(({ row }) => row)]).toEqual(poisoned ? [4, [2]] : [5, []])
              break
            } catch (error) {
              expect(error).toMatchObject({ retriable: true })
              mayHaveBegun = true
            }
          }
          expect(warehouse.sources('events').sort((a, b) => a - b)).toEqual(
            SOURCES.filter((src) => !(poisoned && src === 7)),
          )
        },
      ),
      { numRuns: 500 },
    )
  })
})

test('a clean answer is believed and costs one insert', async () => {
  const { warehouse, rows, target } = world()
  expect(await insertExactly(target, rows, false)).toEqual({
    inserted: 5,
    refused: [],
    verified: false,
    repaired: 0,
  })
  expect(warehouse.inserts).toEqual(['events 5 #1'])
})

test('a replay is counted even where everything was clean', async () => {
  const { warehouse, rows, target } = world()
  await insertExactly(target, rows, false)
  expect(await insertExactly(target, rows, true)).toMatchObject({
    inserted: 5,
    verified: true,
    repaired: 0,
  })
  expect(warehouse.sources('events')).toEqual(SOURCES)
})

test('a replay whose token the table has forgotten doubles nothing', async () => {
  const { warehouse, rows, target } = world(SOURCES, 1)
  await insertExactly(target, rows, false)
  await target.clickhouse.insert('events', 'JSONEachRow', Buffer.from('{"src_partition":9}'), OTHER)
  await insertExactly(target, rows, true)
  expect(warehouse.rows('events').filter((row) => row.src_partition === 2)).toHaveLength(5)
})

test('rows that cannot be read are found by halves; all others go in', async () => {
  const { warehouse, rows, target } = world()
  warehouse.refuse((line) => line.includes('row 4') || line.includes('row 20'))
  const outcome = await insertExactly(target, rows, false)
  expect(outcome).toMatchObject({ inserted: 3, repaired: 0 })
  expect(outcome.refused.map(({ row }) => row)).toEqual([1, 4])
  expect(outcome.refused[0]?.reason).toContain('Code: 27')
  expect(warehouse.sources('events').sort((a, b) => a - b)).toEqual([3, 7, 8])
})

test('rows of the same sources that are not ours stop the partition', async () => {
  const { warehouse, rows, target } = world()
  warehouse.rows('events').push({ src_partition: 2, src_offset: 5 })
  await expect(insertExactly(target, rows, true)).rejects.toMatchObject({ code: 'corrupt' })
})

test('two rows of one source stop the partition', async () => {
  const { warehouse, rows, target } = world()
  warehouse.rows('events').push({ src_partition: 2, src_offset: 4 }, { src_partition: 2, src_offset: 4 })
  await expect(insertExactly(target, rows, true)).rejects.toMatchObject({ code: 'corrupt' })
})

test('rows of other partitions with the same offsets are somebody else’s', async () => {
  const { warehouse, rows, target } = world()
  warehouse.rows('events').push({ src_partition: 1, src_offset: 4 }, { src_partition: 3, src_offset: 5 })
  await insertExactly(target, rows, true)
  expect(warehouse.rows('events')).toHaveLength(7)
})

test('settings that cut blocks otherwise have another id, and an unknown id is no id', () => {
  expect(rowsOfSettingsId(settingsId(5000))).toBe(5000)
  expect(rowsOfSettingsId('insert-2-5000')).toBeNull()
  expect(insertSettings(5000)).toMatchObject({
    max_insert_block_size: 5000,
    min_insert_block_size_rows: 5000,
  })
})
