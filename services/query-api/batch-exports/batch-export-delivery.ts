import type { Delivery, DeliveryWindow } from '../../../schemas/control/v1.ts'
import type { BatchExportChainRow, BatchExportRow } from '../../core/metadata/metadata-tables.ts'
import { type BatchInterval, FORMATS, INTERVALS, readPrefix, type S3Config } from './batch-export-body.ts'
import { whereOf } from './filters-where.ts'

/** Records of one file at most. */
const FILE_ROWS = 1_000_000

/** Windows of a batch export: its intervals, by landed time. */
export function windowOf(row: BatchExportRow): DeliveryWindow {
  const length = INTERVALS[row.interval as BatchInterval]
  const { timezone } = row
  if (length === '1d') return { length, timezone, day_begins: row.day_begins }
  if (length !== '1w') return { length }
  const day = Math.floor(row.day_begins / 24)
  return { length, timezone, day_begins: row.day_begins - 24 * day, week_begins: day + 1 }
}

/** The delivery that the S3 sink carries out: a function of the rows, so that any process publishes the same. */
export function deliveryOf(row: BatchExportRow, chain: BatchExportChainRow, account: string): Delivery {
  const config = JSON.parse(row.config) as S3Config
  const { prefix, partitionBy } = readPrefix(config.prefix)
  const where = row.filters === null ? null : whereOf(JSON.parse(row.filters))
  const format = FORMATS[(config.file_format ?? 'JSONLines') as keyof typeof FORMATS]
  return {
    id: chain.delivery_id,
    account,
    datasets: [row.dataset_id],
    format,
    bucket: config.bucket_name,
    ...(prefix === null ? {} : { prefix }),
    ...(partitionBy === null ? {} : { partition_by: partitionBy }),
    ...(config.compression === undefined ? {} : { compression: config.compression as 'gzip' | 'zstd' }),
    ...(config.include_events === undefined || config.include_events === null
      ? {}
      : { events: config.include_events }),
    ...(config.exclude_events === undefined || config.exclude_events === null
      ? {}
      : { exclude_events: config.exclude_events }),
    ...(where === null ? {} : { where }),
    rotate: {
      rows: FILE_ROWS,
      age: `${config.batch_window_size}s`,
      ...(config.max_file_size_mb === undefined ? {} : { bytes: `${config.max_file_size_mb}MB` }),
    },
    window: windowOf(row),
    // A backfill is asked for, so it goes on while the schedule is paused, and after it has ended.
    ...(row.paused === 1 && chain.kind === 'schedule' ? { paused: true } : {}),
    ...(row.end_at !== null && chain.kind === 'schedule'
      ? { until: new Date(row.end_at).toISOString() }
      : {}),
    ...(row.mask_pii === 1 ? { mask_pii: true } : {}),
    ranges: rangesInForce(chain),
    destination: { region: config.region, sealed_credentials: row.sealed_credentials },
  }
}

/** A backfill that is cancelled goes on to its end, so that its manifests say for good what it has left out. */
function rangesInForce({ status, ranges }: BatchExportChainRow): NonNullable<Delivery['ranges']> {
  const planned = JSON.parse(ranges) as NonNullable<Delivery['ranges']>
  if (status !== 'cancelling') return planned
  return planned.map((own) => {
    const from = own[0]?.[0] ?? 0
    const until = own.at(-1)?.[1] ?? from
    return [
      [from, from],
      [until, until],
    ]
  })
}
