import type { BatchExportRow } from '../../core/metadata/metadata-tables.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { isDependencyError } from '../../core/runtime/errors.ts'
import type { Logger } from '../../core/runtime/logger.ts'
import { ApiError, notFound } from '../http/api-error.ts'
import { DATASET_PATH, type DatasetCall } from '../http/route.ts'
import { idOf } from '../objects/object-routes.ts'
import type { BatchExportKeeper, BatchExportOptions } from './batch-export-keeper.ts'
import type { BatchExportStore } from './batch-export-store.ts'

/** What routes of batch exports are made of. */
export interface BatchExportNeeds extends Pick<BatchExportOptions, 'secretKey' | 'offsetsAt' | 'mayConnect'> {
  readonly store: BatchExportStore
  readonly keeper: Pick<BatchExportKeeper, 'publish'>
  readonly clock: Pick<Clock, 'now'>
  readonly randomBytes: (size: number) => Uint8Array
  readonly logger: Logger
}

export const BATCH_EXPORT_COMMON = { about: 'dataset', tag: 'batch_exports', limit: 'default' } as const
export const BATCH_EXPORT_READ = { object: 'batch_export', action: 'read' } as const
export const BATCH_EXPORT_WRITE = { object: 'batch_export', action: 'write' } as const
export const BATCH_EXPORT_PATH = `${DATASET_PATH}/batch_exports`

/** @throws ApiError 404 */
export async function existingBatchExport(
  store: BatchExportStore,
  call: DatasetCall,
): Promise<BatchExportRow> {
  const row = await store.get(call.question.dataset.id, idOf(call))
  if (row === null) throw notFound()
  return row
}

/** Tells the S3 sink. What cannot be told now is told by whoever looks next, so the change stands all the same. */
export async function told({ keeper, logger }: Pick<BatchExportNeeds, 'keeper' | 'logger'>): Promise<void> {
  try {
    await keeper.publish()
  } catch (error) {
    if (!isDependencyError(error)) throw error
    logger.warn({ err: error }, 'A change of batch exports waits to be published.')
  }
}

/** A name that no delivery of a configuration has. */
export function newDeliveryId(randomBytes: (size: number) => Uint8Array): string {
  return `batch-export-${Buffer.from(randomBytes(8)).toString('hex')}`
}

/** 409 for what the state of things does not allow. */
export function conflict(detail: string): ApiError {
  return new ApiError(409, { type: 'invalid_request', code: 'conflict', detail, attr: null })
}

/** 400 for one backfill or reset more than a batch export may have. */
export function tooManyChains(): ApiError {
  return new ApiError(400, {
    type: 'validation_error',
    code: 'limit_reached',
    detail: 'This batch export has as many backfills and resets as it may. Make another batch export.',
    attr: null,
  })
}
