import { type RawBuilder, sql } from 'kysely'
import type { WindowBounds } from '../../core/control/delivery-window.ts'
import type { Metadata, MetadataQueries } from '../../core/metadata/metadata.ts'
import type { BatchExportChainRow, BatchExportRow } from '../../core/metadata/metadata-tables.ts'
import { invalidInput } from '../http/api-error.ts'
import {
  createObjectStore,
  nextNumber,
  type ObjectStore,
  type ObjectTable,
  type OwnColumns,
  within,
} from '../objects/object-store.ts'
import { type BatchExportRunStore, createBatchExportRunStore, insertRun } from './batch-export-run-store.ts'
import type { ClosedRange } from './offset-ranges.ts'

/** Batch exports of a dataset at most. */
export const BATCH_EXPORTS_MAX = 50
/** Backfills and resets of one batch export at most, those that are done among them. */
export const CHAINS_MAX = 1_000

const TABLE: ObjectTable = {
  table: 'batch_exports',
  objectsMax: BATCH_EXPORTS_MAX,
  order: sql`id DESC`,
  where: () => [],
}

export type NewChain = Pick<
  BatchExportChainRow,
  'delivery_id' | 'kind' | 'status' | 'ranges' | 'start_at' | 'end_at'
>

/** Batch exports, their chains and runs. Every member rejects with a DependencyError when the database does not answer. */
export interface BatchExportStore
  extends Omit<ObjectStore<BatchExportRow>, 'create' | 'remove'>,
    BatchExportRunStore {
  /** With its schedule. @returns null when the dataset has as many as it may */
  create(
    dataset: string,
    columns: OwnColumns<BatchExportRow>,
    schedule: NewChain,
    atMs: number,
    by: string,
  ): Promise<BatchExportRow | null>
  /** Its chains go when their deliveries have. @returns whether it was there */
  remove(dataset: string, id: number): Promise<boolean>
  /** Lets a paused one go on. @param ranges of its schedule from now on; null for those it has */
  resume(dataset: string, id: number, ranges: string | null, atMs: number): Promise<BatchExportRow | null>
  chains(dataset: string, id: number): Promise<readonly BatchExportChainRow[]>
  /** Every chain with its export, which is null where it was removed. */
  allChains(): Promise<
    readonly { readonly chain: BatchExportChainRow; readonly row: BatchExportRow | null }[]
  >
  /** @returns null when there are as many as there may be, or the export is gone */
  addChain(dataset: string, id: number, chain: NewChain, atMs: number): Promise<BatchExportChainRow | null>
  /**
   * Decides what a waiting backfill delivers, while nobody else decides for the same export. One that has nothing to
   * deliver is completed, with one run.
   *
   * @param first  the window that it begins in
   * @param ranges JSON; null while it cannot be decided
   */
  decide(
    chain: BatchExportChainRow,
    first: WindowBounds,
    ranges: (others: readonly BatchExportChainRow[]) => string | null,
    atMs: number,
  ): Promise<void>
  /** Ends a backfill early. @returns false when it was completed already */
  cancel(chain: BatchExportChainRow, atMs: number): Promise<boolean>
  /** Notes that a chain, and every run of it, has come to its end. */
  finish(delivery: string, atMs: number): Promise<void>
  noteError(delivery: string, error: string | null): Promise<void>
  /** Notes that a schedule has come to its end, if that is still where it was. */
  end(chain: BatchExportChainRow, endAt: number, atMs: number): Promise<void>
  removeChain(delivery: string): Promise<void>
}

export function createBatchExportStore(metadata: Metadata): BatchExportStore {
  const { db } = metadata
  const objects = createObjectStore<BatchExportRow>(metadata, TABLE)
  const all = async <R>(query: RawBuilder<R>, on: MetadataQueries = db) => (await query.execute(on)).rows

  /** Whoever changes the chains of an export holds its row until he is done. */
  async function lock(inside: MetadataQueries, dataset: string, id: number): Promise<boolean> {
    const { numAffectedRows } = await sql`UPDATE batch_exports SET deleted = deleted
      WHERE dataset_id = ${dataset} AND id = ${id}`.execute(inside)
    return (numAffectedRows ?? 0n) > 0n
  }

  async function insertChain(
    inside: MetadataQueries,
    dataset: string,
    id: number,
    number: number,
    chain: NewChain,
    atMs: number,
  ): Promise<BatchExportChainRow> {
    const row = {
      ...chain,
      dataset_id: dataset,
      export_id: id,
      number,
      latest_error: null,
      created_at: atMs,
      finished_at: null,
    }
    await inside.insertInto('batch_export_chains').values(row).execute()
    if (chain.status !== 'waiting') await insertPositions(inside, chain.delivery_id, chain.ranges)
    return row
  }

  async function insertPositions(inside: MetadataQueries, delivery: string, ranges: string): Promise<void> {
    for (const [partition, own] of (JSON.parse(ranges) as ClosedRange[][]).entries())
      await inside
        .insertInto('batch_export_positions')
        .values({
          delivery_id: delivery,
          partition_number: partition,
          first_offset: own[0]?.[0] ?? 0,
          next_offset: own[0]?.[0] ?? 0,
          landed: 0,
          skipped: '[]',
        })
        .execute()
  }

  return {
    ...objects,
    ...createBatchExportRunStore(metadata),
    create: (dataset, columns, schedule, atMs, by) =>
      metadata.transaction(async (inside) => {
        const id = await nextNumber(inside, dataset, 'batch_exports')
        const [counted] = await all(
          sql<{ count: number }>`SELECT count(*) AS count FROM batch_exports WHERE dataset_id = ${dataset}`,
          inside,
        )
        if ((counted?.count ?? 0) >= BATCH_EXPORTS_MAX) return null
        const row = {
          ...columns,
          dataset_id: dataset,
          id,
          deleted: 0,
          created_at: atMs,
          created_by: by,
          updated_at: atMs,
        }
        await inside.insertInto('batch_exports').values(row).execute()
        await insertChain(inside, dataset, id, 1, schedule, atMs)
        return row
      }),
    remove: (dataset, id) =>
      metadata.transaction(async (inside) => {
        await sql`UPDATE batch_export_chains SET status = 'removed'
          WHERE dataset_id = ${dataset} AND export_id = ${id}`.execute(inside)
        const { numAffectedRows } = await sql`DELETE FROM batch_exports
          WHERE dataset_id = ${dataset} AND id = ${id}`.execute(inside)
        return (numAffectedRows ?? 0n) > 0n
      }),
    resume: (dataset, id, ranges, atMs) =>
      metadata.transaction(async (inside) => {
        const [row] = await all(
          sql<BatchExportRow>`UPDATE batch_exports SET paused = 0,
            updated_at = CASE WHEN updated_at < ${atMs} THEN ${atMs} ELSE updated_at + 1 END
            WHERE dataset_id = ${dataset} AND id = ${id} RETURNING *`,
          inside,
        )
        if (row === undefined) return null
        if (ranges !== null)
          await sql`UPDATE batch_export_chains SET ranges = ${ranges}
            WHERE dataset_id = ${dataset} AND export_id = ${id} AND kind = 'schedule'`.execute(inside)
        return row
      }),
    chains: (dataset, id) =>
      all(sql<BatchExportChainRow>`SELECT * FROM batch_export_chains
        WHERE dataset_id = ${dataset} AND export_id = ${id} ORDER BY number`),
    async allChains() {
      const chains = await all(sql<BatchExportChainRow>`SELECT * FROM batch_export_chains
        ORDER BY dataset_id, export_id, number`)
      const rows = await all(sql<BatchExportRow>`SELECT * FROM batch_exports`)
      const byName = new Map(rows.map((row) => [`${row.dataset_id}/${row.id}`, row]))
      return chains.map((chain) => ({
        chain,
        row: byName.get(`${chain.dataset_id}/${chain.export_id}`) ?? null,
      }))
    },
    addChain: (dataset, id, chain, atMs) =>
      metadata.transaction(async (inside) => {
        if (!(await lock(inside, dataset, id))) return null
        const [last] = await all(
          sql<{ number: number }>`SELECT max(number) AS number FROM batch_export_chains
            WHERE dataset_id = ${dataset} AND export_id = ${id}`,
          inside,
        )
        const number = (last?.number ?? 0) + 1
        return number > CHAINS_MAX ? null : insertChain(inside, dataset, id, number, chain, atMs)
      }),
    decide: (chain, first, ranges, atMs) =>
      metadata.transaction(async (inside) => {
        if (!(await lock(inside, chain.dataset_id, chain.export_id))) return
        const chains = await all(
          sql<BatchExportChainRow>`SELECT * FROM batch_export_chains
            WHERE dataset_id = ${chain.dataset_id} AND export_id = ${chain.export_id}`,
          inside,
        )
        const own = chains.find(({ delivery_id: id }) => id === chain.delivery_id)
        if (own?.status !== 'waiting') return
        const decided = ranges(chains.filter((other) => other !== own))
        if (decided === null) return
        const isEmpty = (JSON.parse(decided) as ClosedRange[][]).every((each) =>
          each.every(([a, b]) => a >= b),
        )
        await sql`UPDATE batch_export_chains SET ranges = ${decided},
          status = ${isEmpty ? 'completed' : 'running'}, latest_error = NULL,
          finished_at = ${isEmpty ? atMs : null}
          WHERE delivery_id = ${chain.delivery_id}`.execute(inside)
        await insertPositions(inside, chain.delivery_id, decided)
        if (isEmpty)
          await insertRun(inside, chain.delivery_id, first, { skipped: 0, finished_at: atMs }, atMs)
      }),
    cancel: (chain, atMs) =>
      metadata.transaction(async (inside) => {
        await lock(inside, chain.dataset_id, chain.export_id)
        const own = sql`delivery_id = ${chain.delivery_id}`
        // What waits has no delivery yet.
        await sql`UPDATE batch_export_chains SET status = 'cancelled', finished_at = ${atMs}
          WHERE ${own} AND status = 'waiting'`.execute(inside)
        await sql`UPDATE batch_export_chains SET status = 'cancelling'
          WHERE ${own} AND status = 'running'`.execute(inside)
        const [now] = await all(
          sql<BatchExportChainRow>`SELECT * FROM batch_export_chains WHERE ${own}`,
          inside,
        )
        return now?.status === 'cancelling' || now?.status === 'cancelled'
      }),
    finish: (delivery, atMs) =>
      metadata.transaction(async (inside) => {
        await sql`UPDATE batch_export_chains SET finished_at = ${atMs},
          status = CASE WHEN status = 'cancelling' THEN 'cancelled' ELSE 'completed' END
          WHERE delivery_id = ${delivery} AND status IN ('running', 'cancelling')`.execute(inside)
        await sql`UPDATE batch_export_runs SET finished_at = ${atMs}
          WHERE delivery_id = ${delivery} AND finished_at IS NULL`.execute(inside)
      }),
    async noteError(delivery, error) {
      await sql`UPDATE batch_export_chains SET latest_error = ${error}
        WHERE delivery_id = ${delivery}`.execute(db)
    },
    update: (dataset, id, change, atMs, seenMs) =>
      metadata.transaction(async (inside) => {
        const own = createObjectStore<BatchExportRow>(within(inside), TABLE)
        await lock(inside, dataset, id)
        const before = await own.get(dataset, id)
        const isMoved = change.end_at !== undefined && change.end_at !== before?.end_at
        const [schedule] = await all(
          sql<BatchExportChainRow>`SELECT * FROM batch_export_chains
            WHERE dataset_id = ${dataset} AND export_id = ${id} AND kind = 'schedule'`,
          inside,
        )
        if (isMoved && schedule?.status === 'completed')
          throw invalidInput('end_at', 'This batch export has ended. Make another one, from then on.')
        return own.update(dataset, id, change, atMs, seenMs)
      }),
    end: (chain, endAt, atMs) =>
      metadata.transaction(async (inside) => {
        const { numAffectedRows } = await sql`UPDATE batch_exports SET deleted = deleted
          WHERE dataset_id = ${chain.dataset_id} AND id = ${chain.export_id} AND end_at = ${endAt}`.execute(
          inside,
        )
        if ((numAffectedRows ?? 0n) === 0n) return
        await sql`UPDATE batch_export_chains SET status = 'completed', finished_at = ${atMs}
          WHERE delivery_id = ${chain.delivery_id} AND status = 'running'`.execute(inside)
      }),
    async removeChain(delivery) {
      await sql`DELETE FROM batch_export_chains WHERE delivery_id = ${delivery}`.execute(db)
    },
  }
}
