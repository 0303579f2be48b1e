import { Type } from '@sinclair/typebox'
import { invalidInput, notFound } from '../http/api-error.ts'
import { listAnswer, listOf, pageParameters, readPage } from '../http/list-page.ts'
import { readBody } from '../http/read-body.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import { type DatasetCall, type DatasetRoute, pathParameter } from '../http/route.ts'
import { readTime } from '../objects/object-body.ts'
import { BackfillView, NO_COUNTS, presentBackfill } from './backfill-view.ts'
import {
  BATCH_EXPORT_COMMON,
  BATCH_EXPORT_PATH,
  BATCH_EXPORT_READ,
  BATCH_EXPORT_WRITE,
  type BatchExportNeeds,
  conflict,
  existingBatchExport,
  newDeliveryId,
  told,
  tooManyChains,
} from './batch-export-calls.ts'
import { BACKFILL_EXAMPLE } from './batch-export-examples.ts'

const BackfillBody = Type.Object(
  { start_at: Type.String({ maxLength: 40 }), end_at: Type.String({ maxLength: 40 }) },
  { additionalProperties: false },
)
const one = { params: { dataset: 'shop', id: '1' } }
const backfill = { params: { dataset: 'shop', id: '1', backfill: '2' } }

/** What delivers a stretch of the past, and how far that is. */
export function backfillRoutes(needs: BatchExportNeeds): DatasetRoute[] {
  const { store, clock, randomBytes } = needs

  async function found(call: DatasetCall) {
    const row = await existingBatchExport(store, call)
    const number = /^[1-9]\d{0,8}$/.test(pathParameter(call, 'backfill'))
      ? Number(pathParameter(call, 'backfill'))
      : null
    const chains = await store.chains(row.dataset_id, row.id)
    const chain = chains.find((each) => each.kind === 'backfill' && each.number === number)
    if (chain === undefined) throw notFound()
    return chain
  }

  async function shown(call: DatasetCall) {
    const chain = await found(call)
    const counts = await store.countsOf([chain.delivery_id])
    return { body: presentBackfill(chain, counts.get(chain.delivery_id) ?? NO_COUNTS) }
  }

  return [
    {
      ...BATCH_EXPORT_COMMON,
      method: 'POST',
      path: `${BATCH_EXPORT_PATH}/:id/backfill`,
      summary:
        'Delivers what landed in a stretch of time and neither the schedule nor another backfill delivers.',
      access: BATCH_EXPORT_WRITE,
      body: BackfillBody,
      success: {
        status: 201,
        description: 'It begins; its runs are among those of the export.',
        schema: BackfillView,
      },
      example: {
        ...one,
        body: { start_at: BACKFILL_EXAMPLE.start_at, end_at: BACKFILL_EXAMPLE.end_at },
        answer: BACKFILL_EXAMPLE,
      },
      async answer(call) {
        const row = await existingBatchExport(store, call)
        const body = readBody(BackfillBody, call.body)
        const startMs = readTime(body.start_at, 'start_at')
        const endMs = readTime(body.end_at, 'end_at')
        if (startMs >= endMs) throw invalidInput('end_at', 'This must be later than start_at.')
        if (endMs > clock.now())
          throw invalidInput('end_at', 'This is in the future, which the schedule delivers.')
        const chain = await store.addChain(
          row.dataset_id,
          row.id,
          {
            delivery_id: newDeliveryId(randomBytes),
            kind: 'backfill',
            status: 'waiting',
            ranges: '[]',
            start_at: startMs,
            end_at: endMs,
          },
          clock.now(),
        )
        if (chain === null) throw tooManyChains()
        return { status: 201, body: presentBackfill(chain, NO_COUNTS) }
      },
    },
    {
      ...BATCH_EXPORT_COMMON,
      method: 'GET',
      path: `${BATCH_EXPORT_PATH}/:id/backfills`,
      summary: 'Its backfills, the newest first, with what each has delivered.',
      access: BATCH_EXPORT_READ,
      parameters: pageParameters(),
      success: { status: 200, description: 'A page of them.', schema: listOf(BackfillView) },
      example: { ...one, answer: { count: 1, next: null, previous: null, results: [BACKFILL_EXAMPLE] } },
      async answer(call) {
        refuseUnknown(call.query, Object.keys(pageParameters()))
        const page = readPage(call.query)
        const row = await existingBatchExport(store, call)
        const chains = (await store.chains(row.dataset_id, row.id)).filter(({ kind }) => kind === 'backfill')
        // There are a thousand at most, so the page is cut here.
        const shownChains = chains.toReversed().slice(page.offset, page.offset + page.limit)
        const counts = await store.countsOf(shownChains.map(({ delivery_id: id }) => id))
        const views = shownChains.map((chain) =>
          presentBackfill(chain, counts.get(chain.delivery_id) ?? NO_COUNTS),
        )
        return listAnswer(views, chains.length, page, call.url)
      },
    },
    {
      ...BATCH_EXPORT_COMMON,
      method: 'GET',
      path: `${BATCH_EXPORT_PATH}/:id/backfills/:backfill`,
      summary: 'One backfill: how far it is, and what it has delivered.',
      access: BATCH_EXPORT_READ,
      success: { status: 200, description: 'As it is now.', schema: BackfillView },
      example: { ...backfill, answer: BACKFILL_EXAMPLE },
      answer: shown,
    },
    {
      ...BATCH_EXPORT_COMMON,
      method: 'POST',
      path: `${BATCH_EXPORT_PATH}/:id/backfills/:backfill/cancel`,
      summary: 'Ends a backfill early. What it delivered stays; the rest is for another one. Twice is once.',
      access: BATCH_EXPORT_WRITE,
      success: { status: 200, description: 'As it is now.', schema: BackfillView },
      example: { ...backfill, answer: { ...BACKFILL_EXAMPLE, status: 'cancelling' } },
      async answer(call) {
        const chain = await found(call)
        if (chain.status === 'completed' || !(await store.cancel(chain, clock.now())))
          throw conflict('This backfill is completed. What it delivered stays in its bucket.')
        await told(needs)
        return shown(call)
      },
    },
  ]
}
