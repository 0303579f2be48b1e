import { type RawBuilder, sql } from 'kysely'
import type { Metadata, MetadataQueries } from '../../core/metadata/metadata.ts'
import type {
  BatchExportChainRow,
  BatchExportPositionRow,
  BatchExportRow,
  BatchExportRunRow,
} from '../../core/metadata/metadata-tables.ts'
import { createObjectStore, nextNumber, type ObjectStore, type OwnColumns } from '../objects/object-store.ts'
import { type ClosedRange, merged } from './offset-ranges.ts'

/** Batch exports of a dataset at most. */
export const BATCH_EXPORTS_MAX = 50
/** Backfills and resets of one batch export at most, those that are done among them. */
export const CHAINS_MAX = 1_000

export type NewChain = Pick<
  BatchExportChainRow,
  'delivery_id' | 'kind' | 'status' | 'ranges' | 'start_at' | 'end_at'
>

/** What one manifest adds to a chain. */
export interface ManifestFacts {
  readonly key: string
  readonly partition: number
  readonly start: number
  readonly end: number
  /** Epoch ms, at its end. */
  readonly landed: number
  readonly window: { readonly startMs: number; readonly endMs: number }
  /** Whether its configuration asked for what is in it. */
  readonly isAsked: boolean
  readonly records: number
  readonly bytes: number
  readonly files: number
}

/** Batch exports, their chains and runs. Every member rejects with a DependencyError when the database does not answer. */
export interface BatchExportStore extends Omit<ObjectStore<BatchExportRow>, 'create' | 'remove'> {
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
  /** Decides what a waiting backfill delivers, while nobody else decides for the same export. */
  decide(
    chain: BatchExportChainRow,
    ranges: (others: readonly BatchExportChainRow[]) => string,
  ): Promise<void>
  settle(
    delivery: string,
    change: Partial<Pick<BatchExportChainRow, 'status' | 'latest_error'>>,
  ): Promise<void>
  removeChain(delivery: string): Promise<void>
  positions(delivery: string): Promise<readonly BatchExportPositionRow[]>
  /** @returns false when somebody else has counted it, or it does not follow */
  count(delivery: string, facts: ManifestFacts, atMs: number): Promise<boolean>
  /**
   * Newest first. Bounds are of window starts, epoch ms, the upper one excluded. Windows that were passed over are a
   * schedule's own; a backfill passes over whatever it was not asked for.
   */
  runs(
    deliveries: readonly string[],
    bounds: { readonly fromMs: number; readonly toMs: number; readonly limit: number },
  ): Promise<readonly BatchExportRunRow[]>
  supersede(delivery: string, windowStart: number, by: string): Promise<void>
}

export function createBatchExportStore(metadata: Metadata): BatchExportStore {
  const { db } = metadata
  const objects = createObjectStore<BatchExportRow>(metadata, {
    table: 'batch_exports',
    objectsMax: BATCH_EXPORTS_MAX,
    order: sql`id DESC`,
    where: () => [],
  })
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
    const row = { ...chain, dataset_id: dataset, export_id: id, number, latest_error: null, created_at: atMs }
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
    decide: (chain, ranges) =>
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
        const isEmpty = (JSON.parse(decided) as ClosedRange[][]).every((each) =>
          each.every(([a, b]) => a >= b),
        )
        await sql`UPDATE batch_export_chains SET ranges = ${decided},
          status = ${isEmpty ? 'completed' : 'running'}, latest_error = NULL
          WHERE delivery_id = ${chain.delivery_id}`.execute(inside)
        await insertPositions(inside, chain.delivery_id, decided)
      }),
    async settle(delivery, change) {
      if (change.status !== undefined)
        await sql`UPDATE batch_export_chains SET status = ${change.status}
          WHERE delivery_id = ${delivery} AND status <> 'removed'`.execute(db)
      if (change.latest_error !== undefined)
        await sql`UPDATE batch_export_chains SET latest_error = ${change.latest_error}
          WHERE delivery_id = ${delivery}`.execute(db)
    },
    async removeChain(delivery) {
      await sql`DELETE FROM batch_export_chains WHERE delivery_id = ${delivery}`.execute(db)
    },
    positions: (delivery) =>
      all(sql<BatchExportPositionRow>`SELECT * FROM batch_export_positions
        WHERE delivery_id = ${delivery} ORDER BY partition_number`),
    count: (delivery, facts, atMs) =>
      metadata.transaction(async (inside) => {
        const [position] = await all(
          sql<BatchExportPositionRow>`UPDATE batch_export_positions
            SET next_offset = ${facts.end + 1}, landed = ${facts.landed}
            WHERE delivery_id = ${delivery} AND partition_number = ${facts.partition}
              AND next_offset = ${facts.start} RETURNING *`,
          inside,
        )
        if (position === undefined) return false
        const range: ClosedRange = [facts.start, facts.end + 1]
        if (!facts.isAsked) {
          const skipped = merged([...(JSON.parse(position.skipped) as ClosedRange[]), range])
          await sql`UPDATE batch_export_positions SET skipped = ${JSON.stringify(skipped)}
            WHERE delivery_id = ${delivery} AND partition_number = ${facts.partition}`.execute(inside)
        }
        await addToRun(inside, delivery, facts, range, atMs)
        return true
      }),
    async runs(deliveries, { fromMs, toMs, limit }) {
      if (deliveries.length === 0) return []
      return all(sql<BatchExportRunRow>`SELECT * FROM batch_export_runs
        WHERE delivery_id IN (${sql.join(deliveries)}) AND window_start >= ${fromMs} AND window_start < ${toMs}
          AND (skipped = 0 OR delivery_id IN
            (SELECT delivery_id FROM batch_export_chains WHERE kind = 'schedule'))
        ORDER BY window_start DESC, delivery_id LIMIT ${limit}`)
    },
    async supersede(delivery, windowStart, by) {
      await sql`UPDATE batch_export_runs SET superseded_by = ${by}
        WHERE delivery_id = ${delivery} AND window_start = ${windowStart}`.execute(db)
    },
  }
}

async function addToRun(
  inside: MetadataQueries,
  delivery: string,
  facts: ManifestFacts,
  range: ClosedRange,
  atMs: number,
): Promise<void> {
  const { startMs, endMs } = facts.window
  await inside
    .insertInto('batch_export_runs')
    .values({
      delivery_id: delivery,
      window_start: startMs,
      window_end: endMs,
      records: 0,
      bytes: 0,
      files: 0,
      skipped: 1,
      manifests: '[]',
      ranges: '{}',
      superseded_by: null,
      updated_at: atMs,
    })
    .onConflict((conflict) => conflict.columns(['delivery_id', 'window_start']).doNothing())
    .execute()
  if (!facts.isAsked) return
  // The first statement locks the row, so what is read is not changed meanwhile.
  const { rows } = await sql<BatchExportRunRow>`UPDATE batch_export_runs
    SET records = records + ${facts.records}, bytes = bytes + ${facts.bytes}, files = files + ${facts.files},
      skipped = 0, updated_at = ${atMs}
    WHERE delivery_id = ${delivery} AND window_start = ${startMs} RETURNING *`.execute(inside)
  const [run] = rows
  if (run === undefined) throw new Error('A run that was just made is not there.')
  const ranges = JSON.parse(run.ranges) as Record<string, ClosedRange[]>
  const own = merged([...(ranges[facts.partition] ?? []), range])
  const manifests = [...(JSON.parse(run.manifests) as string[]), facts.key]
  await sql`UPDATE batch_export_runs SET manifests = ${JSON.stringify(manifests)},
    ranges = ${JSON.stringify({ ...ranges, [facts.partition]: own })}
    WHERE delivery_id = ${delivery} AND window_start = ${startMs}`.execute(inside)
}
