import { type Static, Type } from '@sinclair/typebox'
import { windowAt } from '../../core/control/delivery-window.ts'
import type {
  BatchExportChainRow,
  BatchExportPositionRow,
  BatchExportRow,
  BatchExportRunRow,
} from '../../core/metadata/metadata-tables.ts'
import { SHARED_VIEW } from '../objects/object-view.ts'
import { windowOf } from './batch-export-delivery.ts'
import { completeUntilMs, isFinal } from './chain-progress.ts'
import type { ClosedRange } from './offset-ranges.ts'
import { POSTGRES_DESTINATION } from './postgres-destination.ts'
import { S3_DESTINATION } from './s3-destination.ts'

const textOrNull = Type.Union([Type.String(), Type.Null()])
const countOrNull = Type.Union([Type.Integer(), Type.Null()])
const { created_by, created_at } = SHARED_VIEW

export const BatchExportView = Type.Object({
  id: Type.Integer(),
  name: Type.String(),
  destination: Type.Object({
    type: Type.String(),
    config: Type.Union([S3_DESTINATION.open, POSTGRES_DESTINATION.open]),
  }),
  interval: Type.String(),
  timezone: Type.String(),
  interval_offset: Type.Integer(),
  paused: Type.Boolean(),
  mask_pii: Type.Boolean(),
  filters: Type.Unknown({ description: 'As they were sent; null for none.' }),
  deliveries: Type.Array(Type.String(), { description: 'Its chains of manifests: _manifests/<delivery>/.' }),
  latest_error: textOrNull,
  created_at,
  created_by,
  last_updated_at: Type.String(),
  last_paused_at: textOrNull,
  start_at: Type.String(),
  end_at: textOrNull,
})

/** Nothing of it is secret: credentials are kept sealed, and shown to nobody. */
export function presentBatchExport(
  row: BatchExportRow,
  chains: readonly BatchExportChainRow[],
): Static<typeof BatchExportView> {
  return {
    id: row.id,
    name: row.name,
    destination: { type: row.destination, config: JSON.parse(row.config) },
    interval: row.interval,
    timezone: row.timezone,
    interval_offset: row.day_begins,
    paused: row.paused === 1,
    mask_pii: row.mask_pii === 1,
    filters: row.filters === null ? null : JSON.parse(row.filters),
    deliveries: chains.map(({ delivery_id: id }) => id),
    latest_error: chains.find(({ latest_error: error }) => error !== null)?.latest_error ?? null,
    created_at: iso(row.created_at),
    created_by: row.created_by,
    last_updated_at: iso(row.updated_at),
    last_paused_at: row.last_paused_at === null ? null : iso(row.last_paused_at),
    start_at: iso(row.start_at),
    end_at: row.end_at === null ? null : iso(row.end_at),
  }
}

export const RunView = Type.Object({
  id: Type.String(),
  status: Type.String({
    description:
      'Starting, Running, Completed, or Cancelled: passed over by a pause, or by the cancellation of its backfill.',
  }),
  records_completed: Type.Integer(),
  bytes_exported: Type.Integer(),
  files: Type.Integer(),
  latest_error: textOrNull,
  data_interval_start: Type.String(),
  data_interval_end: Type.String(),
  kind: Type.String({ description: 'schedule, backfill or reset.' }),
  delivery: Type.String(),
  superseded_by: Type.Union([Type.String(), Type.Null()], {
    description: 'The run that delivered it again.',
  }),
  cursor: Type.Union([Type.String(), Type.Null()], {
    description:
      'How far its manifests go: `<partition>:<offset>` of each that has some, the offset not included.',
  }),
  created_at: Type.String({
    description: 'When its interval began, or it was asked for, if that was later.',
  }),
  finished_at: Type.Union([Type.String(), Type.Null()], {
    description:
      'When its last manifest was there; null until then, and for an interval that no manifest speaks of.',
  }),
  last_updated_at: textOrNull,
  batch_export: Type.Integer(),
  records_total_count: countOrNull,
})
export type RunView = Static<typeof RunView>

/** A chain with how far its manifests were read. */
export interface ReadChain {
  readonly chain: BatchExportChainRow
  readonly positions: readonly BatchExportPositionRow[]
}

export function runId(number: number, windowStartMs: number): string {
  return `${number}-${windowStartMs}`
}

/** @returns null for what is no id of a run */
export function readRunId(text: string): { readonly number: number; readonly windowStartMs: number } | null {
  const parts = /^([1-9]\d{0,8})-(\d{1,16})$/.exec(text)
  return parts && { number: Number(parts[1]), windowStartMs: Number(parts[2]) }
}

/** @param run null for a window of which no manifest speaks */
export function presentRun(
  row: BatchExportRow,
  { chain, positions }: ReadChain,
  run: BatchExportRunRow | null,
  bounds: { readonly startMs: number; readonly endMs: number },
): RunView {
  const isComplete = isFinal(chain) || completeUntilMs(chain.ranges, positions) >= bounds.endMs
  const isCancelled = run === null ? chain.status === 'cancelled' : run.skipped !== 0
  const status = isCancelled ? 'Cancelled' : isComplete ? 'Completed' : run === null ? 'Starting' : 'Running'
  const createdMs = chain.kind === 'schedule' ? Math.max(row.created_at, bounds.startMs) : chain.created_at
  const finishedMs = isComplete ? (run?.finished_at ?? chain.finished_at) : null
  return {
    id: runId(chain.number, bounds.startMs),
    status,
    records_completed: run?.records ?? 0,
    bytes_exported: run?.bytes ?? 0,
    files: run?.files ?? 0,
    latest_error: isComplete || isCancelled ? null : chain.latest_error,
    data_interval_start: iso(bounds.startMs),
    data_interval_end: iso(bounds.endMs),
    kind: chain.kind,
    delivery: chain.delivery_id,
    superseded_by: run?.superseded_by ?? null,
    cursor: run === null ? null : cursorOf(run),
    created_at: iso(createdMs),
    finished_at: finishedMs === null ? null : iso(finishedMs),
    last_updated_at: run === null ? null : iso(run.updated_at),
    batch_export: row.id,
    records_total_count: isComplete ? (run?.records ?? 0) : null,
  }
}

/**
 * Windows of a schedule, the newest first, those without any event among them: every window has a run.
 *
 * @param fromMs first instant that may be in one, and `toMs` the instant after the last
 */
export function* windowsBack(row: BatchExportRow, fromMs: number, toMs: number) {
  const window = windowOf(row)
  let bounds = windowAt(window, toMs - 1)
  const first = windowAt(window, Math.max(fromMs, row.start_at)).startMs
  while (bounds.startMs >= first) {
    yield bounds
    bounds = windowAt(window, bounds.startMs - 1)
  }
}

/** Offset ranges of a run, for every partition of its chain. */
export function rangesOf(
  run: BatchExportRunRow,
  positions: readonly BatchExportPositionRow[],
): ClosedRange[][] {
  const ranges = JSON.parse(run.ranges) as Record<string, ClosedRange[]>
  return positions.map(
    ({ partition_number: partition, next_offset: next }) => ranges[partition] ?? [[next, next]],
  )
}

/** Null where nothing was delivered, so that nothing was gone through for it. */
function cursorOf(run: BatchExportRunRow): string | null {
  const ranges = Object.entries(JSON.parse(run.ranges) as Record<string, ClosedRange[]>)
  const ends = ranges.map(([partition, own]) => `${partition}:${own.at(-1)?.[1]}`)
  return ends.length === 0 ? null : ends.join(',')
}

function iso(ms: number): string {
  return new Date(ms).toISOString()
}
