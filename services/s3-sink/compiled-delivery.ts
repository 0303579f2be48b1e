import type { Delivery, DeliveryWindow } from '../../schemas/control/v1.ts'
import { ENRICHED_EVENT_FIELDS, ENRICHED_EVENT_VERSION } from '../../schemas/enriched-event/v1.ts'
import type { Field } from '../../schemas/field.ts'
import { REJECTED_EVENT_FIELDS, REJECTED_EVENT_VERSION } from '../../schemas/rejected-event/v1.ts'
import {
  FILE_COMPRESSIONS,
  FILE_ENDINGS,
  type FileCodec,
  type PageCodec,
} from '../core/control/file-compression.ts'
import { DEFAULT_PARTITION_TEMPLATE } from '../core/control/partition-template.ts'
import { compileSelection, type Selection } from '../core/event/selection.ts'
import { parseBytes, parseDuration } from '../core/runtime/settings.ts'
import type { BatchLimits } from '../core/stream/planned-sink.ts'
import type { Disk } from './disk.ts'
import { type PartitionPath, partitionPath } from './partition-path.ts'
import type { Table, TableEncoder } from './table-encoder.ts'

/** A delivery's configuration, made ready for use. */
export interface CompiledDelivery {
  readonly id: string
  /** Of the configuration. */
  readonly hash: string
  readonly selection: Selection
  readonly path: PartitionPath
  readonly bucket: string
  readonly prefix: string
  readonly format: Delivery['format']
  /** What rows are encoded as, where they are not left as they are. */
  readonly table: Table | null
  /** Around the file; null for Parquet, which is compressed inside. */
  readonly codec: FileCodec | null
  readonly extension: string
  readonly contentType: string
  readonly limits: BatchLimits
  /** Batches also end where one of these does; null for none. */
  readonly window: DeliveryWindow | null
  /** Per partition, what is delivered of it; null for everything. */
  readonly ranges: Delivery['ranges'] | null
  /** What lands then or later is not delivered, epoch ms; null for no end. */
  readonly untilMs: number | null
  readonly masksPii: boolean
  readonly fields: readonly Field[]
  readonly schema: string
  /** Column that says when: minimum and maximum stand in the manifest. */
  readonly timeColumn: 'event_time' | 'collector_time'
}

/** Brotli has no registered one. */
const CONTENT_TYPES: Readonly<Record<FileCodec, string>> = {
  gzip: 'application/gzip',
  zstd: 'application/zstd',
  brotli: 'application/x-brotli',
}

export const ROTATION_DEFAULTS: BatchLimits = { rows: 1_000_000, bytes: 128 * 1024 * 1024, ageMs: 5 * 60_000 }

/**
 * @param bucketDefault where deliveries go that name no bucket
 * @throws Error for a configuration with a fault; they are checked before they are published
 */
export function compileDelivery(delivery: Delivery, hash: string, bucketDefault: string): CompiledDelivery {
  const rejected = delivery.source === 'rejected'
  const { format } = delivery
  const compression = delivery.compression ?? FILE_COMPRESSIONS[format][0]
  const codec = format === 'parquet' ? null : (compression as FileCodec)
  return {
    id: delivery.id,
    hash,
    selection: compileSelection(delivery),
    path: partitionPath(delivery.partition_by ?? DEFAULT_PARTITION_TEMPLATE),
    bucket: delivery.bucket ?? bucketDefault,
    prefix: delivery.prefix ?? delivery.id,
    format,
    table:
      format === 'jsonl' ? null : format === 'csv' ? { format } : { format, pages: compression as PageCodec },
    codec,
    extension: codec === null ? format : `${format}.${FILE_ENDINGS[codec]}`,
    // No content encoding: clients would unpack on the way and the stored size and hash would not match.
    contentType: codec === null ? 'application/vnd.apache.parquet' : CONTENT_TYPES[codec],
    limits: limitsOf(delivery.rotate ?? {}),
    window: delivery.window ?? null,
    ranges: delivery.ranges ?? null,
    untilMs: delivery.until === undefined ? null : Date.parse(delivery.until),
    masksPii: delivery.mask_pii ?? false,
    fields: rejected ? REJECTED_EVENT_FIELDS : ENRICHED_EVENT_FIELDS,
    schema: rejected
      ? `rejected-event/${REJECTED_EVENT_VERSION}`
      : `enriched-event/${ENRICHED_EVENT_VERSION}`,
    timeColumn: rejected ? 'collector_time' : 'event_time',
  }
}

/** What names the bytes of an object beside its rows, for the plan. */
export function encoderId(
  delivery: Pick<CompiledDelivery, 'format' | 'table' | 'codec'>,
  by: { readonly encoder: Pick<TableEncoder, 'id'>; readonly disk: Pick<Disk, 'codecId'> },
): string {
  const { format, table, codec } = delivery
  const encoder = table === null ? [] : [by.encoder.id]
  // The usual one is not said: plans of before there was another do not say it either.
  const pages =
    table?.format !== 'parquet' || table.pages === FILE_COMPRESSIONS.parquet[0] ? [] : [table.pages]
  const compression = codec === null ? [] : [by.disk.codecId(codec)]
  return [format, ...encoder, ...pages, ...compression].join(' ')
}

function limitsOf({ rows, bytes, age }: NonNullable<Delivery['rotate']>): BatchLimits {
  return {
    rows: rows ?? ROTATION_DEFAULTS.rows,
    bytes: bytes === undefined ? ROTATION_DEFAULTS.bytes : parseBytes(String(bytes)),
    ageMs: age === undefined ? ROTATION_DEFAULTS.ageMs : parseDuration(age),
  }
}
