import { Type } from '@sinclair/typebox'
import type { Metadata } from '../../core/metadata/metadata.ts'
import { deleteSession, type RecordingStores } from '../../core/recordings/remove-recordings.ts'
import { activityRoutes } from '../activity/activity-routes.ts'
import { invalidInput, notFound } from '../http/api-error.ts'
import { readBody } from '../http/read-body.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import {
  type Answer,
  DATASET_PATH,
  type DatasetCall,
  type DatasetRoute,
  pathParameter,
} from '../http/route.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import { RECORDING_SHARES } from '../sharing/share-store.ts'
import { sharingRoutes } from '../sharing/sharing-routes.ts'
import { answerRecordings, RECORDINGS_PAGES, RECORDINGS_SUCCESS } from './answer-recordings.ts'
import { forgetRecordings } from './forget-recordings.ts'
import { getRecording } from './list-recordings.ts'
import { presentRecordings, RecordingView } from './present-recordings.ts'
import { RECORDING_EXAMPLE, SNAPSHOT_EXAMPLE } from './recording-examples.ts'
import { recordingProperties } from './recording-properties.ts'
import { createRecordingViews } from './recording-views-store.ts'
import { RECORDINGS_PARAMETERS, readRecordingsRequest, readSessionIds } from './recordings-request.ts'
import type { SnapshotNeeds } from './snapshots.ts'
import { answerSnapshots, SNAPSHOTS_PARAMETERS, SNAPSHOTS_SUCCESS } from './snapshots-answer.ts'

export interface RecordingNeeds extends InsightNeeds {
  readonly metadata: Metadata
  /** A cryptographic source. */
  readonly randomBytes: (size: number) => Uint8Array
  /** Where recordings lie, objects and rows. */
  readonly stores: RecordingStores & { readonly store: SnapshotNeeds['store'] }
}

const Change = Type.Object({ viewed: Type.Boolean() }, { additionalProperties: false })

export function recordingRoutes(needs: RecordingNeeds): DatasetRoute[] {
  const { ask, clock, stores, metadata } = needs
  const views = createRecordingViews(metadata)

  async function one(call: DatasetCall): Promise<Answer> {
    const { question, principal } = call
    const record = await getRecording(needs, question, pathParameter(call, 'id'))
    const [body] = await presentRecordings({ ask, views }, question, principal.name, [record])
    return { body }
  }

  const common = { about: 'dataset', tag: 'session_recordings', limit: 'clickhouse' } as const
  const read = { object: 'session_recording', action: 'read' } as const
  const write = { object: 'session_recording', action: 'write' } as const
  const path = `${DATASET_PATH}/session_recordings`
  const many = { params: { dataset: 'shop' } }
  const single = { params: { dataset: 'shop', id: RECORDING_EXAMPLE.id } }
  const success = { status: 200, description: 'The recording.', schema: RecordingView } as const
  return [
    {
      ...common,
      method: 'GET',
      path,
      summary: 'Recorded sessions, the newest first.',
      access: read,
      parameters: RECORDINGS_PARAMETERS,
      success: RECORDINGS_SUCCESS,
      pages: RECORDINGS_PAGES,
      example: {
        ...many,
        query: { events: '[{"id":"purchase"}]', limit: '1' },
        answer: { results: [RECORDING_EXAMPLE], has_next: false, version: 1 },
      },
      answer: async (call) => {
        const request = readRecordingsRequest(call.query, clock.now(), call.question.zone)
        return answerRecordings({ ...needs, views }, call, request)
      },
    },
    {
      ...common,
      method: 'GET',
      path: `${path}/properties`,
      summary: 'What the events of sessions tell about them: browser, system, place.',
      access: read,
      parameters: { session_ids: RECORDINGS_PARAMETERS.session_ids },
      success: { status: 200, description: 'One entry for each session, in the order asked.' },
      example: {
        ...many,
        query: { session_ids: JSON.stringify([RECORDING_EXAMPLE.id]) },
        answer: { results: [{ id: RECORDING_EXAMPLE.id, properties: { $browser: 'Firefox' } }] },
      },
      answer: async ({ query, question }) => {
        refuseUnknown(query, ['session_ids'])
        const sessions = readSessionIds(query)
        if (sessions === null) throw invalidInput('session_ids', 'This parameter is required.', 'required')
        return { body: { results: await recordingProperties(ask, question, sessions) } }
      },
    },
    {
      ...common,
      method: 'GET',
      path: `${path}/:id`,
      summary: 'One recorded session.',
      access: read,
      success,
      example: { ...single, answer: RECORDING_EXAMPLE },
      answer: one,
    },
    {
      ...common,
      method: 'PATCH',
      path: `${path}/:id`,
      summary: 'Notes that the holder of this key has looked at it, or has not.',
      access: write,
      body: Change,
      success,
      example: { ...single, body: { viewed: true }, answer: { ...RECORDING_EXAMPLE, viewed: true } },
      answer: async (call) => {
        const { viewed } = readBody(Change, call.body)
        const { question, principal } = call
        const { id } = await getRecording(needs, question, pathParameter(call, 'id'))
        await views.note(question.dataset.id, principal.name, id, viewed, clock.now())
        return one(call)
      },
    },
    {
      ...common,
      method: 'DELETE',
      path: `${path}/:id`,
      summary: 'Removes it for good, with whatever of it is still to come.',
      access: write,
      success: { status: 204, description: 'It is gone.' },
      example: single,
      answer: async (call) => {
        const session = { dataset_id: call.question.dataset.id, session_id: pathParameter(call, 'id') }
        // A deletion that broke off is found by the rows it left, and is completed.
        const [row] = await ask<{ found: number }>(
          call.question,
          (bindings) =>
            'SELECT 1 AS found FROM recording_chunks ' +
            `WHERE dataset_id = ${bindings.bind(session.dataset_id, 'String')} ` +
            `AND session_id = ${bindings.bind(session.session_id, 'String')} LIMIT 1`,
        )
        if (row === undefined) throw notFound()
        await deleteSession(stores, session, call.principal.name)
        await forgetRecordings(metadata, session.dataset_id, [session.session_id])
        return { status: 204 }
      },
    },
    {
      ...common,
      method: 'GET',
      path: `${path}/:id/snapshots`,
      summary: 'What was recorded, page by page or block by block.',
      access: read,
      parameters: SNAPSHOTS_PARAMETERS,
      success: SNAPSHOTS_SUCCESS,
      example: {
        params: single.params,
        answer: { next: null, snapshot_data_by_window_id: SNAPSHOT_EXAMPLE, storage: 'object_storage' },
      },
      answer: (call) =>
        answerSnapshots({ ask, store: stores.store, bucket: stores.bucket }, call, pathParameter(call, 'id')),
    },
    ...sharingRoutes(needs, {
      kind: RECORDING_SHARES,
      tag: common.tag,
      limit: common.limit,
      example: RECORDING_EXAMPLE.id,
      async existing(call) {
        const { id } = await getRecording(needs, call.question, pathParameter(call, 'id'))
        return { dataset_id: call.question.dataset.id, id, name: id }
      },
    }),
    ...activityRoutes(metadata, read.object, common.tag, null),
  ]
}
