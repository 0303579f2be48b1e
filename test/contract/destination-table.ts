import { describe, expect, test } from 'vitest'
import type { DestinationTable } from '../../services/query-api/batch-exports/destination-table.ts'
import { enrichedRecord } from '../services/s3-sink/enriched-rows.ts'

export interface TableUnderTest {
  open(): DestinationTable
  /** Every row, by id. */
  rows(): Promise<readonly Readonly<Record<string, unknown>>[]>
  /** Every batch that is noted, by name. */
  loads(): Promise<readonly Load[]>
}
interface Load {
  readonly batch: string
  readonly delivered: number
  readonly inserted: number
}

export const batchOf = (start: number, end: number, delivery = 'to-table') => ({
  delivery,
  source: { partition: 0, start, end },
  manifest: `_manifests/${delivery}/${start}.json`,
})

/** An event as a line of a file has it. */
export function eventRow(index: number, changes: Readonly<Record<string, unknown>> = {}): string {
  const { value } = enrichedRecord(index)
  return JSON.stringify({ ...JSON.parse(Buffer.from(value ?? Buffer.alloc(0)).toString()), ...changes })
}

/** What every table that batches are loaded into must do. */
export function destinationTableContract(name: string, make: () => Promise<TableUnderTest>): void {
  describe(`destination table contract: ${name}`, () => {
    async function opened() {
      const under = await make()
      const table = under.open()
      const ids = async () => (await under.rows()).map(({ event_id: id }) => id)
      return { ...under, table, ids }
    }

    test('a batch is loaded once, however often and by however many', async () => {
      const { table, open, ids, loads } = await opened()
      // Nobody has made it yet.
      const makers = [open(), open(), open()]
      await Promise.all([table, ...makers].map((each) => each.prepare()))
      await Promise.all(makers.map((each) => each.close()))
      const rows = [eventRow(0), eventRow(1), eventRow(2)]
      expect(await table.load(batchOf(0, 9), rows)).toBe(true)
      expect(await table.load(batchOf(0, 9), rows)).toBe(false)
      const others = [open(), open(), open()]
      const came = await Promise.all(
        others.map((other) => other.load(batchOf(10, 19), [eventRow(3), eventRow(4)])),
      )
      expect(came.filter((each) => each)).toHaveLength(1)
      expect(await ids()).toEqual(['event-0', 'event-1', 'event-2', 'event-3', 'event-4'])
      expect(await loads()).toEqual([
        { batch: 'to-table/0/0', delivered: 3, inserted: 3 },
        { batch: 'to-table/0/10', delivered: 2, inserted: 2 },
      ])
      await Promise.all([table, ...others].map((each) => each.close()))
    })

    test('an event that is there already is replaced, and its batch says that it was', async () => {
      const { table, rows, loads } = await opened()
      await table.load(batchOf(0, 1), [eventRow(0), eventRow(1)])
      await table.load(batchOf(0, 2, 'again'), [eventRow(1, { event: 'other' }), eventRow(2)])
      expect((await rows()).map(({ event_id: id, event }) => [id, event])).toMatchObject([
        ['event-0', expect.not.stringMatching('other')],
        ['event-1', 'other'],
        ['event-2', expect.not.stringMatching('other')],
      ])
      expect(await loads()).toEqual([
        { batch: 'again/0/0', delivered: 2, inserted: 1 },
        { batch: 'to-table/0/0', delivered: 2, inserted: 2 },
      ])
      await table.close()
    })

    test('the same id of another dataset is another event, and one that a batch has twice is one', async () => {
      const { table, rows, loads } = await opened()
      await table.load(batchOf(0, 3), [eventRow(0), eventRow(0, { dataset_id: 'blog' }), eventRow(0)])
      expect((await rows()).map(({ dataset_id: dataset }) => dataset)).toEqual(
        ['blog', JSON.parse(eventRow(0)).dataset_id].toSorted(),
      )
      expect(await loads()).toEqual([{ batch: 'to-table/0/0', delivered: 3, inserted: 2 }])
      await table.close()
    })

    test('values come as they are, but for characters that texts there cannot hold', async () => {
      const { table, rows } = await opened()
      const properties = { a: 'x\u0000y', price: 1.5, deep: { list: [1, null, 'ü'], '\\u0000': '\\u0000' } }
      await table.load(batchOf(0, 0), [
        eventRow(0, { properties, distinct_id: null, groups: { company: 'acme' } }),
      ])
      const [row] = await rows()
      expect(row).toMatchObject({ distinct_id: null, groups: { company: 'acme' } })
      expect(row?.properties).toEqual({ ...properties, a: 'x\ufffdy' })
      await table.close()
    })

    test('what it has been asked for after it was closed is refused', async () => {
      const { table } = await opened()
      await table.prepare()
      await table.close()
      await expect(table.load(batchOf(0, 0), [eventRow(0)])).rejects.toMatchObject({
        dependency: 'destination',
        code: 'unavailable',
      })
    })
  })
}
