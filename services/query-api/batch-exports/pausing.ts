import { windowAt } from '../../core/control/delivery-window.ts'
import type { BatchExportRow } from '../../core/metadata/metadata-tables.ts'
import type { BatchExportNeeds } from './batch-export-calls.ts'
import { windowOf } from './batch-export-delivery.ts'

/** What stops a schedule for a while, and lets it go on, whoever asks for it and however. */
export interface Pausing {
  /** Columns of an export that is to be paused from now on; none of one that is. */
  paused(row: BatchExportRow): Partial<BatchExportRow>
  /**
   * Lets a paused one go on: where it was (`backfill`), or with the interval under way. One that is not paused stays as
   * it is.
   *
   * @returns as it is now
   */
  resume(row: BatchExportRow, backfill: boolean): Promise<BatchExportRow>
}

export function createPausing({
  store,
  clock,
  offsetsAt,
}: Pick<BatchExportNeeds, 'store' | 'clock' | 'offsetsAt'>): Pausing {
  /** Of a schedule that goes on with the interval under way: what it has not delivered before it, it passes over. */
  async function rangesFrom(row: BatchExportRow, nowMs: number) {
    const chains = await store.chains(row.dataset_id, row.id)
    const before = JSON.parse(chains.find(({ kind }) => kind === 'schedule')?.ranges ?? '[]') as [
      number,
      null,
    ][][]
    const offsets = await offsetsAt(windowAt(windowOf(row), nowMs).startMs)
    // A border never moves back.
    return offsets.map((offset, partition) => [[Math.max(offset, before[partition]?.[0]?.[0] ?? 0), null]])
  }

  return {
    paused: (row) => (row.paused === 1 ? {} : { paused: 1, last_paused_at: clock.now() }),
    async resume(row, backfill) {
      if (row.paused === 0) return row
      const nowMs = clock.now()
      const ranges = backfill ? null : JSON.stringify(await rangesFrom(row, nowMs))
      return (await store.resume(row.dataset_id, row.id, ranges, nowMs)) ?? row
    },
  }
}
