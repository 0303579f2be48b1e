import { type Static, Type } from '@sinclair/typebox'
import type { BatchExportChainRow } from '../../core/metadata/metadata-tables.ts'
import { isFinal } from './chain-progress.ts'

const textOrNull = Type.Union([Type.String(), Type.Null()])

export const BackfillView = Type.Object({
  id: Type.Integer(),
  batch_export: Type.Integer(),
  delivery: Type.String({ description: 'Its chain of manifests: _manifests/<delivery>/.' }),
  status: Type.String({
    description:
      'waiting (for the schedule to decide what is left to deliver), running, completed, cancelling (what was begun is finished) or cancelled.',
  }),
  start_at: Type.String(),
  end_at: Type.String(),
  runs: Type.Integer({
    description: 'Intervals that it delivered something of, or passed over when cancelled.',
  }),
  records_completed: Type.Integer(),
  bytes_exported: Type.Integer(),
  files: Type.Integer(),
  records_total_count: Type.Union([Type.Integer(), Type.Null()], { description: 'Null until it is over.' }),
  latest_error: textOrNull,
  created_at: Type.String(),
  finished_at: textOrNull,
})
export type BackfillView = Static<typeof BackfillView>

/** What all runs of a backfill come to. */
export interface BackfillCounts {
  readonly runs: number
  readonly records: number
  readonly bytes: number
  readonly files: number
}
export const NO_COUNTS: BackfillCounts = { runs: 0, records: 0, bytes: 0, files: 0 }

export function presentBackfill(chain: BatchExportChainRow, counts: BackfillCounts): BackfillView {
  return {
    id: chain.number,
    batch_export: chain.export_id,
    delivery: chain.delivery_id,
    status: chain.status,
    start_at: new Date(chain.start_at ?? 0).toISOString(),
    end_at: new Date(chain.end_at ?? 0).toISOString(),
    runs: counts.runs,
    records_completed: counts.records,
    bytes_exported: counts.bytes,
    files: counts.files,
    records_total_count: isFinal(chain) ? counts.records : null,
    latest_error: chain.latest_error,
    created_at: new Date(chain.created_at).toISOString(),
    finished_at: chain.finished_at === null ? null : new Date(chain.finished_at).toISOString(),
  }
}
