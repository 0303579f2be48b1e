import { Type } from '@sinclair/typebox'
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
import { createPausing } from './pausing.ts'

const UnpauseBody = Type.Object({ backfill: Type.Optional(Type.Boolean()) }, { additionalProperties: false })
const success = {
  status: 200,
  description: 'As it is now.',
  schema: Type.Object({ paused: Type.Boolean() }),
} as const

/** What stops a schedule for a while, and lets it go on. */
export function pauseRoutes(needs: BatchExportNeeds): DatasetRoute[] {
  const { store, clock } = needs
  const pausing = createPausing(needs)

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
          await store.update(row.dataset_id, row.id, pausing.paused(row), clock.now(), null)
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
        await pausing.resume(row, backfill)
        await told(needs)
        return { body: { paused: false } }
      },
    },
  ]
}
