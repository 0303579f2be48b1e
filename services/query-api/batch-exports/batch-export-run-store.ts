import { type RawBuilder, sql } from 'kysely'
import type { WindowBounds } from '../../core/control/delivery-window.ts'
import type { Metadata, MetadataQueries } from '../../core/metadata/metadata.ts'
import type {
  BatchExportChainRow,
  BatchExportPositionRow,
  BatchExportRunRow,
} from '../../core/metadata/metadata-tables.ts'
import type { BackfillCounts } from './backfill-view.ts'
import { completeUntilMs } from './chain-progress.ts'
import { type ClosedRange, merged } from './offset-ranges.ts'

/** What one manifest adds to a chain. */
export interface ManifestFacts {
  readonly key: string
  readonly partition: number
  readonly start: number
  readonly end: number
  /** Epoch ms, at its end. */
  readonly landed: number
  readonly window: WindowBounds
  /** Whether its configuration asked for what is in it. */
  readonly isAsked: boolean
  /** Whether a backfill that was cancelled passed over what is in it. */
  readonly isGivenUp: boolean
  readonly records: number
  readonly bytes: number
  readonly files: number
}

/** How far manifests of chains were read, and the runs that they make. */
export interface BatchExportRunStore {
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
  /** Sums over the runs of each delivery that has some. */
  countsOf(deliveries: readonly string[]): Promise<ReadonlyMap<string, BackfillCounts>>
}

export function createBatchExportRunStore(metadata: Metadata): BatchExportRunStore {
  const { db } = metadata
  const rowsOf = async <R>(query: RawBuilder<R>, on: MetadataQueries = db) => (await query.execute(on)).rows
  return {
    positions: (delivery) =>
      rowsOf(sql<BatchExportPositionRow>`SELECT * FROM batch_export_positions
        WHERE delivery_id = ${delivery} ORDER BY partition_number`),
    count: (delivery, facts, atMs) =>
      metadata.transaction(async (inside) => {
        const [position] = await rowsOf(
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
        await finishRuns(inside, delivery, atMs)
        return true
      }),
    async runs(deliveries, { fromMs, toMs, limit }) {
      if (deliveries.length === 0) return []
      return rowsOf(sql<BatchExportRunRow>`SELECT * FROM batch_export_runs
        WHERE delivery_id IN (${sql.join(deliveries)}) AND window_start >= ${fromMs} AND window_start < ${toMs}
          AND (skipped <> 1 OR delivery_id IN
            (SELECT delivery_id FROM batch_export_chains WHERE kind = 'schedule'))
        ORDER BY window_start DESC, delivery_id LIMIT ${limit}`)
    },
    async countsOf(deliveries) {
      if (deliveries.length === 0) return new Map()
      const rows = await rowsOf(sql<BackfillCounts & { readonly delivery_id: string }>`SELECT delivery_id,
        count(*) AS runs, CAST(sum(records) AS BIGINT) AS records, CAST(sum(bytes) AS BIGINT) AS bytes,
        CAST(sum(files) AS BIGINT) AS files
        FROM batch_export_runs WHERE delivery_id IN (${sql.join(deliveries)}) AND skipped <> 1
        GROUP BY delivery_id`)
      return new Map(rows.map(({ delivery_id: id, ...counts }) => [id, counts]))
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
  const { startMs } = facts.window
  await insertRun(inside, delivery, facts.window, { skipped: 1, finished_at: null }, atMs)
  if (!facts.isAsked) {
    if (facts.isGivenUp)
      await sql`UPDATE batch_export_runs SET skipped = 2, updated_at = ${atMs}
        WHERE delivery_id = ${delivery} AND window_start = ${startMs}`.execute(inside)
    return
  }
  // The first statement locks the row, so what is read is not changed meanwhile.
  const { rows } = await sql<BatchExportRunRow>`UPDATE batch_export_runs
    SET records = records + ${facts.records}, bytes = bytes + ${facts.bytes}, files = files + ${facts.files},
      skipped = CASE WHEN skipped = 2 THEN 2 ELSE 0 END, updated_at = ${atMs}, finished_at = NULL
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

/** A run of nothing yet, unless there is one of this window. */
export async function insertRun(
  inside: MetadataQueries,
  delivery: string,
  { startMs, endMs }: WindowBounds,
  as: Pick<BatchExportRunRow, 'skipped' | 'finished_at'>,
  atMs: number,
): Promise<void> {
  await inside
    .insertInto('batch_export_runs')
    .values({
      delivery_id: delivery,
      window_start: startMs,
      window_end: endMs,
      records: 0,
      bytes: 0,
      files: 0,
      manifests: '[]',
      ranges: '{}',
      superseded_by: null,
      updated_at: atMs,
      ...as,
    })
    .onConflict((conflict) => conflict.columns(['delivery_id', 'window_start']).doNothing())
    .execute()
}

/** Notes of runs that nothing is added to any more when that was. */
async function finishRuns(inside: MetadataQueries, delivery: string, atMs: number): Promise<void> {
  const [chain] = (
    await sql<BatchExportChainRow>`SELECT * FROM batch_export_chains WHERE delivery_id = ${delivery}`.execute(
      inside,
    )
  ).rows
  const positions = (
    await sql<BatchExportPositionRow>`SELECT * FROM batch_export_positions
      WHERE delivery_id = ${delivery}`.execute(inside)
  ).rows
  const untilMs = Math.min(completeUntilMs(chain?.ranges ?? '[]', positions), Number.MAX_SAFE_INTEGER)
  await sql`UPDATE batch_export_runs SET finished_at = ${atMs}
    WHERE delivery_id = ${delivery} AND finished_at IS NULL AND window_end <= ${untilMs}`.execute(inside)
}
