import { Type } from '@sinclair/typebox'
import { windowAt } from '../../core/control/delivery-window.ts'
import type { BatchExportRow } from '../../core/metadata/metadata-tables.ts'
import { readBody } from '../http/read-body.ts'
import type { DatasetRoute } from '../http/route.ts'
import {
  BATCH_EXPORT_COMMON,
  BATCH_EXPORT_PATH,
  BATCH_EXPORT_WRITE,
  type BatchExportNeeds,
  existingBatchExport,
  told,
} from './batch-export-calls.ts'
import { windowOf } from './batch-export-delivery.ts'

const UnpauseBody = Type.Object({ backfill: Type.Optional(Type.Boolean()) }, { additionalProperties: false })
const success = {
  status: 200,
  description: 'As it is now.',
  schema: Type.Object({ paused: Type.Boolean() }),
} as const

/** What stops a schedule for a while, and lets it go on. */
export function pauseRoutes(needs: BatchExportNeeds): DatasetRoute[] {
  const { store, clock, offsetsAt } = needs

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

  const one = { params: { dataset: 'shop', id: '1' } }
  return [
    {
      ...BATCH_EXPORT_COMMON,
      method: 'POST',
      path: `${BATCH_EXPORT_PATH}/:id/pause`,
      summary: 'Stops the schedule where it is. A second time changes nothing.',
      access: BATCH_EXPORT_WRITE,
      success,
      example: { ...one, answer: { paused: true } },
      async answer(call) {
        const row = await existingBatchExport(store, call)
        if (row.paused === 0) {
          const nowMs = clock.now()
          const columns = { paused: 1, last_paused_at: nowMs }
          await store.update(row.dataset_id, row.id, columns, nowMs, null)
          await told(needs)
        }
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
      success,
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
}
