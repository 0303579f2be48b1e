import type { Delivery, DeliveryWindow } from '../../../schemas/control/v1.ts'
import type { BatchExportChainRow, BatchExportRow } from '../../core/metadata/metadata-tables.ts'
import { type BatchInterval, INTERVALS } from './batch-export-body.ts'
import type { Config } from './destination-kind.ts'
import { whereOf } from './filters-where.ts'
import { postgresDelivery } from './postgres-destination.ts'
import { s3Delivery } from './s3-destination.ts'

/** Windows of a batch export: its intervals, by landed time. */
export function windowOf(row: BatchExportRow): DeliveryWindow {
  const length = INTERVALS[row.interval as BatchInterval]
  const { timezone } = row
  if (length === '1d') return { length, timezone, day_begins: row.day_begins }
  if (length !== '1w') return { length }
  const day = Math.floor(row.day_begins / 24)
  return { length, timezone, day_begins: row.day_begins - 24 * day, week_begins: day + 1 }
}

/**
 * The delivery that the S3 sink carries out: a function of the rows, so that any process publishes the same.
 *
 * @param stagingBucket where batches lie that are loaded from there
 */
export function deliveryOf(
  row: BatchExportRow,
  chain: BatchExportChainRow,
  account: string,
  stagingBucket: string,
): Delivery {
  const config = JSON.parse(row.config) as Config
  const where = row.filters === null ? null : whereOf(JSON.parse(row.filters))
  return {
    id: chain.delivery_id,
    account,
    datasets: [row.dataset_id],
    ...(row.destination === 'S3'
      ? s3Delivery(config, row.sealed_credentials)
      : postgresDelivery(config, stagingBucket)),
    ...(where === null ? {} : { where }),
    window: windowOf(row),
    // A backfill is asked for, so it goes on while the schedule is paused, and after it has ended.
    ...(row.paused === 1 && chain.kind === 'schedule' ? { paused: true } : {}),
    ...(row.end_at !== null && chain.kind === 'schedule'
      ? { until: new Date(row.end_at).toISOString() }
      : {}),
    ...(row.mask_pii === 1 ? { mask_pii: true } : {}),
    ranges: rangesInForce(chain),
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
