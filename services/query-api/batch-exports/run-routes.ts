import { Type } from '@sinclair/typebox'
import { windowAt } from '../../core/control/delivery-window.ts'
import type { BatchExportRow, BatchExportRunRow } from '../../core/metadata/metadata-tables.ts'
import { notFound } from '../http/api-error.ts'
import { PAGE_SIZES } from '../http/list-page.ts'
import { countDeclared, textDeclared } from '../http/parameter-declarations.ts'
import { countParameter, refuseUnknown, textParameter } from '../http/request-parameters.ts'
import { type DatasetCall, type DatasetRoute, pathParameter } from '../http/route.ts'
import { readTime } from '../objects/object-body.ts'
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
import { windowOf } from './batch-export-delivery.ts'
import { RUN_EXAMPLE } from './batch-export-examples.ts'
import {
  presentRun,
  type ReadChain,
  RunView,
  rangesOf,
  readRunId,
  runId,
  windowsBack,
} from './batch-export-view.ts'

const PARAMETERS = {
  after: textDeclared('Only runs whose interval begins at this time or later.'),
  before: textDeclared('Only runs whose interval begins earlier.'),
  limit: countDeclared('Runs at most.', PAGE_SIZES.default, PAGE_SIZES.max),
}

const RunWithManifests = Type.Intersect([RunView, Type.Object({ manifests: Type.Array(Type.String()) })])

/** What batch exports did, interval by interval, and what has them do more. */
export function runRoutes(needs: BatchExportNeeds): DatasetRoute[] {
  const { store, clock, randomBytes } = needs

  async function chainsOf(row: BatchExportRow): Promise<readonly ReadChain[]> {
    const chains = await store.chains(row.dataset_id, row.id)
    return Promise.all(
      chains.map(async (chain) => ({ chain, positions: await store.positions(chain.delivery_id) })),
    )
  }

  async function found(call: DatasetCall) {
    const row = await existingBatchExport(store, call)
    const id = readRunId(pathParameter(call, 'run'))
    const read = (await chainsOf(row)).find(({ chain }) => chain.number === id?.number)
    if (id === null || read === undefined) throw notFound()
    const { windowStartMs: startMs } = id
    const [run = null] = await store.runs([read.chain.delivery_id], {
      fromMs: startMs,
      toMs: startMs + 1,
      limit: 1,
    })
    const bounds = windowAt(windowOf(row), startMs)
    const isOver = read.chain.kind === 'schedule' && startMs >= (row.end_at ?? Number.POSITIVE_INFINITY)
    const isOwn = read.chain.kind === 'schedule' || run !== null || read.chain.start_at === startMs
    if (bounds.startMs !== startMs || startMs > clock.now() || isOver || !isOwn) throw notFound()
    return { row, read, run, bounds }
  }

  const one = { params: { dataset: 'shop', id: '1' } }
  const run = { params: { dataset: 'shop', id: '1', run: RUN_EXAMPLE.id } }
  return [
    {
      ...BATCH_EXPORT_COMMON,
      method: 'GET',
      path: `${BATCH_EXPORT_PATH}/:id/runs`,
      summary: 'Its intervals, the newest first: how much of each is delivered, as manifests say.',
      access: BATCH_EXPORT_READ,
      parameters: PARAMETERS,
      success: {
        status: 200,
        description: 'Runs. For more, ask `before` the last one.',
        schema: Type.Object({ results: Type.Array(RunView) }),
      },
      example: { ...one, answer: { results: [RUN_EXAMPLE] } },
      async answer(call) {
        refuseUnknown(call.query, Object.keys(PARAMETERS))
        const row = await existingBatchExport(store, call)
        const limit = countParameter(call.query, 'limit', PAGE_SIZES.default, PAGE_SIZES.max)
        const time = (name: 'after' | 'before', otherwise: number) => {
          const text = textParameter(call.query, name)
          return text === null ? otherwise : readTime(text, name)
        }
        const bounds = { fromMs: time('after', 0), toMs: time('before', Number.MAX_SAFE_INTEGER), limit }
        const chains = await chainsOf(row)
        const byDelivery = new Map(chains.map((read) => [read.chain.delivery_id, read]))
        const rows = await store.runs([...byDelivery.keys()], bounds)
        return { body: { results: withEmptyWindows(row, chains, rows, bounds, clock.now()) } }
      },
    },
    {
      ...BATCH_EXPORT_COMMON,
      method: 'GET',
      path: `${BATCH_EXPORT_PATH}/:id/runs/:run`,
      summary: 'One run, with the manifests that name its files.',
      access: BATCH_EXPORT_READ,
      success: { status: 200, description: 'As it is now.', schema: RunWithManifests },
      example: {
        ...run,
        answer: { ...RUN_EXAMPLE, manifests: ['_manifests/…/events.enriched-0/00000000000000120400.json'] },
      },
      async answer(call) {
        const { row, read, run, bounds } = await found(call)
        const manifests = run === null ? [] : (JSON.parse(run.manifests) as string[])
        return { body: { ...presentRun(row, read, run, bounds), manifests } }
      },
    },
    {
      ...BATCH_EXPORT_COMMON,
      method: 'POST',
      path: `${BATCH_EXPORT_PATH}/:id/runs/:run/reset`,
      summary: 'Delivers an interval again, under other names. The new run takes the place of the old one.',
      access: BATCH_EXPORT_WRITE,
      success: {
        status: 200,
        description: 'The run that takes its place.',
        schema: Type.Object({ new_run_id: Type.String() }),
      },
      example: { ...run, answer: { new_run_id: '2-1795856400000' } },
      async answer(call) {
        const { row, read, run, bounds } = await found(call)
        if (
          run === null ||
          presentRun(row, read, run, bounds).status !== 'Completed' ||
          run.superseded_by !== null
        )
          throw conflict(
            'Only a completed run that no other has taken the place of can be delivered again. One that is under way is tried again by itself.',
          )
        const chain = await store.addChain(
          row.dataset_id,
          row.id,
          {
            delivery_id: newDeliveryId(randomBytes),
            kind: 'reset',
            status: 'running',
            ranges: JSON.stringify(rangesOf(run, read.positions)),
            start_at: bounds.startMs,
            end_at: bounds.endMs,
          },
          clock.now(),
        )
        if (chain === null) throw tooManyChains()
        const id = runId(chain.number, bounds.startMs)
        await store.supersede(run.delivery_id, run.window_start, id)
        await told(needs)
        return { body: { new_run_id: id } }
      },
    },
  ]
}

/** Runs that manifests tell of, and among them those of the schedule's windows in which nothing at all landed. */
function withEmptyWindows(
  row: BatchExportRow,
  chains: readonly ReadChain[],
  runs: readonly BatchExportRunRow[],
  { fromMs, toMs, limit }: { readonly fromMs: number; readonly toMs: number; readonly limit: number },
  nowMs: number,
): RunView[] {
  const byDelivery = new Map(chains.map((read) => [read.chain.delivery_id, read]))
  const schedule = chains.find(({ chain }) => chain.kind === 'schedule')
  const byStart = Map.groupBy(runs, ({ window_start: start }) => start)
  const results: RunView[] = []
  const present = (run: BatchExportRunRow) => {
    const read = byDelivery.get(run.delivery_id)
    if (read !== undefined)
      results.push(presentRun(row, read, run, { startMs: run.window_start, endMs: run.window_end }))
  }
  const lastMs = Math.min(toMs, nowMs + 1, row.end_at ?? Number.POSITIVE_INFINITY)
  for (const bounds of windowsBack(row, fromMs, lastMs)) {
    if (results.length >= limit) return results.slice(0, limit)
    if (bounds.startMs >= toMs || bounds.startMs < fromMs) continue
    const own = byStart.get(bounds.startMs) ?? []
    byStart.delete(bounds.startMs)
    const hasSchedule = own.some((run) => run.delivery_id === schedule?.chain.delivery_id)
    if (!hasSchedule && schedule !== undefined) results.push(presentRun(row, schedule, null, bounds))
    own.forEach(present)
  }
  // Windows of backfills from before the schedule began, and from after its end.
  for (const rest of byStart.values()) rest.filter(({ skipped }) => skipped !== 1).forEach(present)
  return results
    .toSorted((a, b) => Date.parse(b.data_interval_start) - Date.parse(a.data_interval_start))
    .slice(0, limit)
}
