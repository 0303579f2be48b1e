import type { DeliveryWindow } from '../../../schemas/control/v1.ts'
import { windowAt } from '../../core/control/delivery-window.ts'
import type { BatchExportRow } from '../../core/metadata/metadata-tables.ts'
import { ApiError, invalidInput, notFound } from '../http/api-error.ts'
import { listAnswer, listOf, pageParameters, readPage } from '../http/list-page.ts'
import { readBody } from '../http/read-body.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import type { Answer, DatasetRoute } from '../http/route.ts'
import { readTime } from '../objects/object-body.ts'
import { changedMeanwhile, idOf } from '../objects/object-routes.ts'
import {
  AnyPatchBody,
  AnyPostBody,
  AnyPutBody,
  BODIES,
  isTimeZone,
  type PatchBody,
} from './batch-export-body.ts'
import {
  BATCH_EXPORT_COMMON,
  BATCH_EXPORT_PATH,
  BATCH_EXPORT_READ,
  BATCH_EXPORT_WRITE,
  type BatchExportNeeds,
  existingBatchExport,
  newDeliveryId,
  told,
} from './batch-export-calls.ts'
import { createDestinationColumns, refuseMoved } from './batch-export-columns.ts'
import { windowOf } from './batch-export-delivery.ts'
import { BATCH_EXPORT_EXAMPLE, BATCH_EXPORT_EXAMPLE_BODY } from './batch-export-examples.ts'
import { BatchExportView, presentBatchExport } from './batch-export-view.ts'
import { kindIn, refuseOtherKind } from './destination-kinds.ts'
import { whereOf } from './filters-where.ts'
import { pauseRoutes } from './pause-routes.ts'
import { createPausing } from './pausing.ts'

/** Hour at which a day may begin. */
const LAST_HOUR = 23

const one = { params: { dataset: 'shop', id: '1' } }
const many = { params: { dataset: 'shop' } }
const success = { status: 200, description: 'As it is now.', schema: BatchExportView } as const

/** The six routes of the objects, and what pauses them. */
export function batchExportRoutes(needs: BatchExportNeeds): DatasetRoute[] {
  const { store, clock, randomBytes, offsetsAt } = needs
  const destinations = createDestinationColumns(needs)
  const pausing = createPausing(needs)

  async function shown(row: BatchExportRow, status?: number): Promise<Answer> {
    const body = presentBatchExport(row, await store.chains(row.dataset_id, row.id))
    return status === undefined ? { body } : { status, body }
  }

  /** What was delivered stays so: an end is set, moved or taken away before it has come. */
  function changedEnd(row: BatchExportRow, text: string | null): number | null {
    const endMs = readEnd(text, windowOf(row))
    if (endMs === row.end_at || endMs === null || endMs > clock.now()) return endMs
    throw invalidInput('end_at', 'The interval of this time has ended. Say a later one, or pause the export.')
  }

  /** Changes what is there, then pauses it or lets it go on, and tells the S3 sink of both at once. */
  async function change(
    before: BatchExportRow,
    { paused, last_updated_at: seen }: PatchBody,
    columns: Partial<BatchExportRow>,
  ): Promise<Answer> {
    const seenMs = seen === undefined ? null : readTime(seen, 'last_updated_at')
    const all = { ...columns, ...(paused === true ? pausing.paused(before) : {}) }
    const row = await store.update(before.dataset_id, before.id, all, clock.now(), seenMs)
    if (row === null)
      throw (await store.get(before.dataset_id, before.id)) === null
        ? notFound()
        : changedMeanwhile('last_updated_at')
    const changed = paused === false ? await pausing.resume(row, false) : row
    await told(needs)
    return shown(changed)
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
      summary: 'Has events written to a bucket, or a table of PostgreSQL, from now on, interval by interval.',
      access: BATCH_EXPORT_WRITE,
      body: AnyPostBody,
      success: {
        status: 201,
        description: 'As it was made, without what is secret.',
        schema: BatchExportView,
      },
      example: { ...many, body: BATCH_EXPORT_EXAMPLE_BODY, answer: BATCH_EXPORT_EXAMPLE },
      async answer(call) {
        const kind = kindIn(call.body)
        const { dataset } = call.question
        const body = readBody(BODIES[kind.type].post, call.body)
        const nowMs = clock.now()
        const timezone = body.timezone ?? call.question.zone
        if (!isTimeZone(timezone)) throw invalidInput('timezone', 'There is no such IANA time zone.')
        const own = {
          name: body.name,
          interval: body.interval,
          timezone,
          day_begins: body.interval_offset ?? 0,
          mask_pii: Number(body.mask_pii ?? false),
          filters: readFilters(body.filters),
          paused: Number(body.paused ?? false),
          last_paused_at: body.paused === true ? nowMs : null,
          ...destinations.of(dataset.id, kind, body.destination.config),
        }
        if (own.interval !== 'week' && own.day_begins > LAST_HOUR)
          throw invalidInput('interval_offset', `This must be a whole number from 0 to ${LAST_HOUR}.`)
        const window = windowOf(own as BatchExportRow)
        if (body.trigger_immediately === true && body.start_at !== undefined)
          throw invalidInput('trigger_immediately', 'Leave it out: start_at says where to begin.')
        const first = body.trigger_immediately === true ? windowAt(window, nowMs).startMs - 1 : nowMs
        const asked = body.start_at === undefined ? first : readTime(body.start_at, 'start_at')
        if (asked > nowMs) throw invalidInput('start_at', 'This is in the future. Make it then, or paused.')
        const { startMs } = windowAt(window, asked)
        const endMs = readEnd(body.end_at ?? null, window)
        if (endMs !== null && endMs <= startMs)
          throw invalidInput('end_at', 'This must be later than start_at.')
        const ranges = (await offsetsAt(startMs)).map((offset) => [[offset, null]])
        const row = await store.create(
          dataset.id,
          { ...own, start_at: startMs, end_at: endMs },
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
      summary:
        'Replaces it whole; what GET shows can be sent back. Bucket, table and intervals stay: for others, make another one.',
      access: BATCH_EXPORT_WRITE,
      body: AnyPutBody,
      success,
      example: { ...one, body: BATCH_EXPORT_EXAMPLE_BODY, answer: BATCH_EXPORT_EXAMPLE },
      async answer(call) {
        const row = await existingBatchExport(store, call)
        refuseOtherKind(row, call.body)
        const body = readBody(BODIES[row.destination].put, call.body)
        refuseMoved(row, body)
        return change(row, body, {
          name: body.name,
          end_at: changedEnd(row, body.end_at ?? null),
          mask_pii: Number(body.mask_pii ?? false),
          filters: readFilters(body.filters),
          ...destinations.replaced(row, body.destination.config),
        })
      },
    },
    {
      ...BATCH_EXPORT_COMMON,
      method: 'PATCH',
      path: `${BATCH_EXPORT_PATH}/:id`,
      summary: 'Changes what is named: credentials, folders, format, events, name, whether it is paused.',
      access: BATCH_EXPORT_WRITE,
      body: AnyPatchBody,
      success,
      example: { ...one, body: { name: 'To the lake' }, answer: BATCH_EXPORT_EXAMPLE },
      async answer(call) {
        const row = await existingBatchExport(store, call)
        refuseOtherKind(row, call.body)
        const body = readBody(BODIES[row.destination].patch, call.body) as PatchBody
        const config = body.destination?.config
        refuseMoved(row, body)
        return change(row, body, {
          ...(body.name === undefined ? {} : { name: body.name }),
          ...(body.end_at === undefined ? {} : { end_at: changedEnd(row, body.end_at) }),
          ...(body.mask_pii === undefined ? {} : { mask_pii: Number(body.mask_pii) }),
          ...(body.filters === undefined ? {} : { filters: readFilters(body.filters) }),
          ...(config === undefined ? {} : destinations.patched(row, config)),
        })
      },
    },
    {
      ...BATCH_EXPORT_COMMON,
      method: 'DELETE',
      path: `${BATCH_EXPORT_PATH}/:id`,
      summary: 'Ends it for good. What it delivered stays.',
      access: BATCH_EXPORT_WRITE,
      success: { status: 204, description: 'It is gone.' },
      example: one,
      async answer(call) {
        if (!(await store.remove(call.question.dataset.id, idOf(call)))) throw notFound()
        await told(needs)
        return { status: 204 }
      },
    },
    ...pauseRoutes(needs),
  ]
}

/** The end of the interval that holds the moment before; null for none. @throws ApiError 400 */
function readEnd(text: string | null, window: DeliveryWindow): number | null {
  return text === null ? null : windowAt(window, readTime(text, 'end_at') - 1).endMs
}

/** Filters as they are kept. @throws ApiError 400 */
function readFilters(filters: unknown): string | null {
  return filters === undefined || filters === null || whereOf(filters) === null
    ? null
    : JSON.stringify(filters)
}

function tooMany(): ApiError {
  return new ApiError(400, {
    type: 'validation_error',
    code: 'limit_reached',
    detail: 'This dataset has as many batch exports as it may. Delete some.',
    attr: null,
  })
}
