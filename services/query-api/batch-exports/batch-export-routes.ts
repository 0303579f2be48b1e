import { Type } from '@sinclair/typebox'
import { windowAt } from '../../core/control/delivery-window.ts'
import { credentialsPurpose, seal, unseal } from '../../core/control/sealed.ts'
import type { BatchExportRow } from '../../core/metadata/metadata-tables.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { isDependencyError } from '../../core/runtime/errors.ts'
import type { Logger } from '../../core/runtime/logger.ts'
import { ApiError, invalidInput, notFound } from '../http/api-error.ts'
import { listAnswer, listOf, pageParameters, readPage } from '../http/list-page.ts'
import { readBody } from '../http/read-body.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import { type Answer, DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import { readTime } from '../objects/object-body.ts'
import { idOf } from '../objects/object-routes.ts'
import {
  BatchExportBody,
  isTimeZone,
  PatchBody,
  PutBody,
  readPrefix,
  refuseOtherDestinations,
  type S3Config,
} from './batch-export-body.ts'
import { windowOf } from './batch-export-delivery.ts'
import { BATCH_EXPORT_EXAMPLE, BATCH_EXPORT_EXAMPLE_BODY } from './batch-export-examples.ts'
import type { BatchExportKeeper, BatchExportOptions } from './batch-export-keeper.ts'
import type { BatchExportStore } from './batch-export-store.ts'
import { BatchExportView, presentBatchExport } from './batch-export-view.ts'

export interface BatchExportNeeds extends Pick<BatchExportOptions, 'secretKey' | 'offsetsAt'> {
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

const one = { params: { dataset: 'shop', id: '1' } }
const many = { params: { dataset: 'shop' } }
const success = { status: 200, description: 'As it is now.', schema: BatchExportView } as const

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

/** The six routes of the objects, and what pauses them. */
export function batchExportRoutes(needs: BatchExportNeeds): DatasetRoute[] {
  const { store, clock, randomBytes, offsetsAt } = needs

  async function shown(row: BatchExportRow, status?: number): Promise<Answer> {
    const body = presentBatchExport(row, await store.chains(row.dataset_id, row.id))
    return status === undefined ? { body } : { status, body }
  }

  function sealed(dataset: string, config: Readonly<Record<string, unknown>>): string {
    if (needs.secretKey === null) throw noSecretKey()
    const plain = {
      accessKeyId: config.aws_access_key_id,
      secretAccessKey: config.aws_secret_access_key,
    }
    return seal(JSON.stringify(plain), credentialsPurpose(dataset), needs.secretKey, randomBytes)
  }

  /** Columns of a whole configuration. */
  function columnsOf(dataset: string, whole: Readonly<Record<string, unknown>>) {
    const { aws_access_key_id: _, aws_secret_access_key: __, ...open } = whole
    const config = open as S3Config
    readPrefix(config.prefix)
    if (config.file_format === 'Parquet' && config.compression === 'gzip')
      throw invalidInput('destination__config__compression', 'Parquet files are compressed with zstd only.')
    return { config: JSON.stringify(config), sealed_credentials: sealed(dataset, whole) }
  }

  /** PATCH as the whole configuration that comes of it. */
  function patched(row: BatchExportRow, given: Readonly<Record<string, unknown>>) {
    const isRenewed = 'aws_access_key_id' in given || 'aws_secret_access_key' in given
    const open = { ...(JSON.parse(row.config) as S3Config), ...given }
    if (!isRenewed) {
      const { sealed_credentials: same } = row
      return {
        ...columnsOf(row.dataset_id, { ...open, ...openedCredentials(row) }),
        sealed_credentials: same,
      }
    }
    return columnsOf(row.dataset_id, { ...open, ...openedCredentials(row), ...given })
  }

  function openedCredentials(row: BatchExportRow): Record<string, unknown> {
    const purpose = credentialsPurpose(row.dataset_id)
    const plain = needs.secretKey && unseal(row.sealed_credentials, purpose, needs.secretKey)
    if (plain === null) throw noSecretKey()
    const { accessKeyId, secretAccessKey } = JSON.parse(plain) as Record<string, string>
    return { aws_access_key_id: accessKeyId, aws_secret_access_key: secretAccessKey }
  }

  async function change(call: DatasetCall, columns: Partial<BatchExportRow>): Promise<Answer> {
    const row = await store.update(call.question.dataset.id, idOf(call), columns, clock.now(), null)
    if (row === null) throw notFound()
    await told(needs)
    return shown(row)
  }

  return [
    {
      ...BATCH_EXPORT_COMMON,
      method: 'GET',
      path: BATCH_EXPORT_PATH,
      summary: 'Lists batch exports, the newest first.',
      access: BATCH_EXPORT_READ,
      parameters: pageParameters(),
      success: { status: 200, description: 'A page of them.', schema: listOf(BatchExportView) },
      example: { ...many, answer: { count: 1, next: null, previous: null, results: [BATCH_EXPORT_EXAMPLE] } },
      async answer(call) {
        refuseUnknown(call.query, Object.keys(pageParameters()))
        const page = readPage(call.query)
        const { rows, count } = await store.list(call.question.dataset.id, {}, page)
        const views = await Promise.all(rows.map(async (row) => (await shown(row)).body))
        return listAnswer(views, count, page, call.url)
      },
    },
    {
      ...BATCH_EXPORT_COMMON,
      method: 'POST',
      path: BATCH_EXPORT_PATH,
      summary: 'Has events written to a bucket from now on, interval by interval.',
      access: BATCH_EXPORT_WRITE,
      body: BatchExportBody,
      success: {
        status: 201,
        description: 'As it was made, without what is secret.',
        schema: BatchExportView,
      },
      example: { ...many, body: BATCH_EXPORT_EXAMPLE_BODY, answer: BATCH_EXPORT_EXAMPLE },
      async answer(call) {
        refuseOtherDestinations(call.body)
        const { dataset } = call.question
        const body = readBody(BatchExportBody, call.body)
        const nowMs = clock.now()
        const timezone = body.timezone ?? call.question.zone
        if (!isTimeZone(timezone)) throw invalidInput('timezone', 'There is no such IANA time zone.')
        const own = {
          name: body.name,
          interval: body.interval,
          timezone,
          day_begins: body.interval_offset ?? 0,
          mask_pii: Number(body.mask_pii ?? false),
          paused: Number(body.paused ?? false),
          last_paused_at: body.paused === true ? nowMs : null,
          ...columnsOf(dataset.id, body.destination.config),
        }
        const asked = body.start_at === undefined ? nowMs : readTime(body.start_at, 'start_at')
        if (asked > nowMs) throw invalidInput('start_at', 'This is in the future. Make it then, or paused.')
        const { startMs } = windowAt(windowOf(own as BatchExportRow), asked)
        const ranges = (await offsetsAt(startMs)).map((offset) => [[offset, null]])
        const row = await store.create(
          dataset.id,
          { ...own, start_at: startMs },
          {
            delivery_id: newDeliveryId(randomBytes),
            kind: 'schedule',
            status: 'running',
            ranges: JSON.stringify(ranges),
            start_at: null,
            end_at: null,
          },
          nowMs,
          call.principal.name,
        )
        if (row === null) throw tooMany()
        await told(needs)
        return shown(row, 201)
      },
    },
    {
      ...BATCH_EXPORT_COMMON,
      method: 'GET',
      path: `${BATCH_EXPORT_PATH}/:id`,
      summary: 'One batch export, without what is secret.',
      access: BATCH_EXPORT_READ,
      success,
      example: { ...one, answer: BATCH_EXPORT_EXAMPLE },
      answer: async (call) => shown(await existingBatchExport(store, call)),
    },
    {
      ...BATCH_EXPORT_COMMON,
      method: 'PUT',
      path: `${BATCH_EXPORT_PATH}/:id`,
      summary: 'Replaces it whole. Bucket and intervals stay: another one is another chain of manifests.',
      access: BATCH_EXPORT_WRITE,
      body: PutBody,
      success,
      example: { ...one, body: BATCH_EXPORT_EXAMPLE_BODY, answer: BATCH_EXPORT_EXAMPLE },
      async answer(call) {
        refuseOtherDestinations(call.body)
        const body = readBody(PutBody, call.body)
        const row = await existingBatchExport(store, call)
        refuseMoved(row, body, body.destination.config)
        return change(call, {
          name: body.name,
          mask_pii: Number(body.mask_pii ?? false),
          ...columnsOf(row.dataset_id, body.destination.config),
        })
      },
    },
    {
      ...BATCH_EXPORT_COMMON,
      method: 'PATCH',
      path: `${BATCH_EXPORT_PATH}/:id`,
      summary: 'Changes what is named: credentials, folders, format, events, name.',
      access: BATCH_EXPORT_WRITE,
      body: PatchBody,
      success,
      example: { ...one, body: { name: 'To the lake' }, answer: BATCH_EXPORT_EXAMPLE },
      async answer(call) {
        refuseOtherDestinations(call.body)
        const body = readBody(PatchBody, call.body) as {
          readonly interval?: string
          readonly timezone?: string
          readonly interval_offset?: number
          readonly name?: string
          readonly mask_pii?: boolean
          readonly destination?: { readonly config?: Readonly<Record<string, unknown>> }
        }
        const row = await existingBatchExport(store, call)
        const config = body.destination?.config
        refuseMoved(row, body, config ?? {})
        return change(call, {
          ...(body.name === undefined ? {} : { name: body.name }),
          ...(body.mask_pii === undefined ? {} : { mask_pii: Number(body.mask_pii) }),
          ...(config === undefined ? {} : patched(row, config)),
        })
      },
    },
    {
      ...BATCH_EXPORT_COMMON,
      method: 'DELETE',
      path: `${BATCH_EXPORT_PATH}/:id`,
      summary: 'Ends it for good. What it delivered stays in its bucket.',
      access: BATCH_EXPORT_WRITE,
      success: { status: 204, description: 'It is gone.' },
      example: one,
      async answer(call) {
        if (!(await store.remove(call.question.dataset.id, idOf(call)))) throw notFound()
        await told(needs)
        return { status: 204 }
      },
    },
    {
      ...BATCH_EXPORT_COMMON,
      method: 'POST',
      path: `${BATCH_EXPORT_PATH}/:id/pause`,
      summary: 'Stops the schedule where it is. A second time changes nothing.',
      access: BATCH_EXPORT_WRITE,
      success: { ...success, schema: Type.Object({ paused: Type.Boolean() }) },
      example: { ...one, answer: { paused: true } },
      async answer(call) {
        const row = await existingBatchExport(store, call)
        if (row.paused === 0) await change(call, { paused: 1, last_paused_at: clock.now() })
        return { body: { paused: true } }
      },
    },
    {
      ...BATCH_EXPORT_COMMON,
      method: 'POST',
      path: `${BATCH_EXPORT_PATH}/:id/unpause`,
      summary: 'Lets the schedule go on: where it was (`backfill`), or with the interval under way.',
      access: BATCH_EXPORT_WRITE,
      body: UnpauseBody,
      success: { ...success, schema: Type.Object({ paused: Type.Boolean() }) },
      example: { ...one, body: { backfill: true }, answer: { paused: false } },
      async answer(call) {
        const { backfill = false } = readBody(UnpauseBody, call.body ?? {})
        const row = await existingBatchExport(store, call)
        if (row.paused === 0) return { body: { paused: false } }
        const nowMs = clock.now()
        const ranges = backfill ? null : JSON.stringify(await rangesFrom(row, nowMs))
        await store.resume(row.dataset_id, row.id, ranges, nowMs)
        await told(needs)
        return { body: { paused: false } }
      },
    },
  ]

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
}

const UnpauseBody = Type.Object({ backfill: Type.Optional(Type.Boolean()) }, { additionalProperties: false })

function refuseMoved(
  row: BatchExportRow,
  given: { readonly interval?: unknown; readonly timezone?: unknown; readonly interval_offset?: unknown },
  config: Readonly<Record<string, unknown>>,
): void {
  const kept = {
    interval: row.interval,
    timezone: row.timezone,
    interval_offset: row.day_begins,
  } as const
  const moved = Object.entries(kept).find(([name, value]) => {
    const wanted = given[name as keyof typeof kept]
    return wanted !== undefined && wanted !== value
  })
  const { bucket_name: bucket } = JSON.parse(row.config) as S3Config
  if (moved === undefined && (config.bucket_name ?? bucket) === bucket) return
  throw invalidInput(
    moved?.[0] ?? 'destination__config__bucket_name',
    'This cannot change: its manifests are one chain in one bucket, and its runs follow its intervals. Make another batch export, and delete this one.',
  )
}

function noSecretKey(): ApiError {
  return new ApiError(503, {
    type: 'server_error',
    code: 'not_configured',
    detail:
      'Credentials cannot be kept here: whoever runs this has to set MILLRACE_SECRET_KEY, for the query API and the S3 sink alike.',
    attr: null,
  })
}

function tooMany(): ApiError {
  return new ApiError(400, {
    type: 'validation_error',
    code: 'limit_reached',
    detail: 'This dataset has as many batch exports as it may. Delete some.',
    attr: null,
  })
}
