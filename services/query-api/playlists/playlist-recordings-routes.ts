import { Type } from '@sinclair/typebox'
import type { Metadata } from '../../core/metadata/metadata.ts'
import type { RecordingPlaylistRow } from '../../core/metadata/metadata-tables.ts'
import { notFound } from '../http/api-error.ts'
import { checkScope } from '../http/authorize.ts'
import { choiceDeclared } from '../http/parameter-declarations.ts'
import { choiceParameter, type RawQuery, refuseUnknown } from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetCall, type DatasetRoute, pathParameter } from '../http/route.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import { textsOf } from '../insights/posted-parameters.ts'
import { answerRecordings, RECORDINGS_PAGES, RECORDINGS_SUCCESS } from '../recordings/answer-recordings.ts'
import { getRecording } from '../recordings/list-recordings.ts'
import { RECORDING_EXAMPLE } from '../recordings/recording-examples.ts'
import { createRecordingViews } from '../recordings/recording-views-store.ts'
import { RECORDINGS_LISTING, readRecordingsRequest } from '../recordings/recordings-request.ts'
import { playlistFamily } from './playlist-family.ts'
import { createPlaylistRecordings } from './playlist-recordings-store.ts'

const SOURCES = ['added', 'filters'] as const
const PARAMETERS = {
  source: choiceDeclared(
    '`added` for recordings that were put on it by hand, `filters` for those that its filters find now.',
    SOURCES,
    'added',
  ),
  ...RECORDINGS_LISTING,
}

const Added = Type.Object({ success: Type.Literal(true) })

/** What is on a playlist. Whoever sees or names recordings needs the right to read them, too. */
export function playlistRecordingRoutes(
  needs: InsightNeeds & {
    readonly metadata: Metadata
    readonly existing: (call: DatasetCall) => Promise<RecordingPlaylistRow>
  },
): DatasetRoute[] {
  const { metadata, existing, clock } = needs
  const recordings = createPlaylistRecordings(metadata)
  const views = createRecordingViews(metadata)
  const writerOf = ({ principal }: DatasetCall) => ({ by: principal.name, atMs: clock.now() })

  /** Parameters of the list of recordings that shows what is on it. */
  async function selection(playlist: RecordingPlaylistRow, source: string): Promise<RawQuery> {
    if (source === 'filters') return textsOf(JSON.parse(playlist.filters))
    const sessions = await recordings.sessions(playlist.dataset_id, playlist.id)
    return { session_ids: JSON.stringify(sessions) }
  }

  const { object, tag, example } = playlistFamily
  const common = { about: 'dataset', tag, limit: 'clickhouse' } as const
  const path = `${DATASET_PATH}/${tag}/:id/recordings`
  const many = { dataset: 'shop', id: String((example.view as { readonly id: number }).id) }
  const one = { ...many, recording: RECORDING_EXAMPLE.id }
  return [
    {
      ...common,
      method: 'GET',
      path,
      summary: 'The recordings of a playlist, the newest first.',
      access: { object, action: 'read' },
      parameters: PARAMETERS,
      success: RECORDINGS_SUCCESS,
      pages: RECORDINGS_PAGES,
      example: {
        params: many,
        query: { source: 'filters' },
        answer: { results: [RECORDING_EXAMPLE], has_next: false, version: 1 },
      },
      async answer(call) {
        checkScope(call.principal, { object: 'session_recording', action: 'read' })
        refuseUnknown(call.query, Object.keys(PARAMETERS))
        const { source: _source, ...listing } = call.query
        const source = choiceParameter(call.query, 'source', SOURCES, 'added')
        const query = { ...(await selection(await existing(call), source)), ...listing }
        const request = readRecordingsRequest(query, clock.now(), call.question.zone)
        return answerRecordings({ ...needs, views }, call, request)
      },
    },
    {
      ...common,
      method: 'POST',
      path: `${path}/:recording`,
      summary: 'Puts a recording on a playlist; a second time changes nothing.',
      access: { object, action: 'write' },
      success: { status: 201, description: 'It is on it.', schema: Added },
      example: { params: one, answer: { success: true } },
      async answer(call) {
        checkScope(call.principal, { object: 'session_recording', action: 'read' })
        const playlist = await existing(call)
        const { id } = await getRecording(needs, call.question, pathParameter(call, 'recording'))
        await recordings.add(playlist, id, writerOf(call))
        return { status: 201, body: { success: true } }
      },
    },
    {
      ...common,
      method: 'DELETE',
      path: `${path}/:recording`,
      summary: 'Takes a recording off a playlist; the recording stays.',
      access: { object, action: 'write' },
      limit: 'default',
      success: { status: 204, description: 'It is not on it any more.' },
      example: { params: one },
      async answer(call) {
        const session = pathParameter(call, 'recording')
        if (!(await recordings.remove(await existing(call), session, writerOf(call)))) throw notFound()
        return { status: 204 }
      },
    },
  ]
}
