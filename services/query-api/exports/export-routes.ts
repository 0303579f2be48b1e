import { type Static, Type } from '@sinclair/typebox'
import type { Metadata } from '../../core/metadata/metadata.ts'
import type { ExportRow } from '../../core/metadata/metadata-tables.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { ApiError, notFound } from '../http/api-error.ts'
import { checkScope } from '../http/authorize.ts'
import { listAnswer, listOf, pageParameters, readPage } from '../http/list-page.ts'
import { flagDeclared } from '../http/parameter-declarations.ts'
import { choiceParameter, refuseUnknown } from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import { checkObject } from '../objects/check-object.ts'
import { idOf } from '../objects/object-routes.ts'
import { ExportBody, plainName, readExportBody } from './export-body.ts'
import { contentKey, type ExportContent, removeContents } from './export-content.ts'
import { accessOf, type ExportSource, type ExportSources, queryOf } from './export-source.ts'
import type { ExportStore } from './export-store.ts'

const orNull = <T extends Parameters<typeof Type.Union>[0][number]>(schema: T) =>
  Type.Union([schema, Type.Null()])

const View = Type.Object({
  id: Type.Integer(),
  export_context: Type.Object({ path: Type.String(), query: Type.Record(Type.String(), Type.Unknown()) }),
  export_format: Type.String(),
  status: Type.String({ description: 'pending, running, completed or failed.' }),
  rows: orNull(Type.Integer()),
  bytes: orNull(Type.Integer()),
  error: orNull(Type.String()),
  has_content: Type.Boolean(),
  filename: Type.String(),
  created_at: Type.String(),
  created_by: Type.String(),
  finished_at: orNull(Type.String()),
  expires_after: Type.String(),
})

function present(row: ExportRow): Static<typeof View> {
  const { path, query } = JSON.parse(row.source) as ExportSource
  return {
    id: row.id,
    export_context: { path, query },
    export_format: row.media_type,
    status: row.status,
    rows: row.row_count,
    bytes: row.byte_count,
    error: row.error,
    has_content: row.status === 'completed',
    filename: row.filename,
    created_at: new Date(row.created_at).toISOString(),
    created_by: row.created_by,
    finished_at: row.finished_at === null ? null : new Date(row.finished_at).toISOString(),
    expires_after: new Date(row.expires_at).toISOString(),
  }
}

const EXAMPLE_BODY = {
  export_context: { path: 'events?event=purchase&after=2026-11-01' },
  export_format: 'text/csv',
}
const EXAMPLE: Static<typeof View> = {
  id: 1,
  export_context: { path: 'events', query: { event: 'purchase', after: '2026-11-01' } },
  export_format: 'text/csv',
  status: 'completed',
  rows: 18_204,
  bytes: 4_020_113,
  error: null,
  has_content: true,
  filename: 'shop-events.csv',
  created_at: '2026-11-28T09:00:00.000Z',
  created_by: 'personal_api_key:5f0c1a9be2d34c7788aa0b1c',
  finished_at: '2026-11-28T09:00:04.000Z',
  expires_after: '2027-05-29T09:00:00.000Z',
}

/** Files that are made in the background. One cannot be changed: who wants another one makes another one. */
export function exportRoutes(needs: {
  readonly store: ExportStore
  readonly content: ExportContent
  readonly sources: ExportSources
  readonly metadata: Pick<Metadata, 'db'>
  readonly clock: Pick<Clock, 'now'>
}): DatasetRoute[] {
  const { store, content, sources, metadata, clock } = needs

  async function existing(call: DatasetCall): Promise<ExportRow> {
    const row = await store.get(call.question.dataset.id, idOf(call))
    if (row === null || row.expires_at <= clock.now()) throw notFound()
    return row
  }

  const common = { about: 'dataset', tag: 'exports', limit: 'default' } as const
  const read = { object: 'export', action: 'read' } as const
  const write = { object: 'export', action: 'write' } as const
  const path = `${DATASET_PATH}/exports`
  const one = { params: { dataset: 'shop', id: '1' } }
  const many = { params: { dataset: 'shop' } }
  return [
    {
      ...common,
      method: 'GET',
      path,
      summary: 'Lists exports, the newest first.',
      access: read,
      parameters: pageParameters(),
      success: { status: 200, description: 'A page of them.', schema: listOf(View) },
      example: { ...many, answer: { count: 1, next: null, previous: null, results: [EXAMPLE] } },
      async answer(call) {
        refuseUnknown(call.query, Object.keys(pageParameters()))
        const page = readPage(call.query)
        const { rows, count } = await store.list(call.question.dataset.id, page)
        return listAnswer(rows.map(present), count, page, call.url)
      },
    },
    {
      ...common,
      method: 'POST',
      path,
      summary:
        'Has a list, an insight or a dashboard made into a file. The key also needs the scope of what is exported.',
      access: write,
      body: ExportBody,
      success: {
        status: 201,
        description: 'As it begins: ask for it until it is completed or failed.',
        schema: View,
      },
      example: { ...many, body: EXAMPLE_BODY, answer: EXAMPLE },
      async answer(call) {
        const nowMs = clock.now()
        const { dataset } = call.question
        const { body, mediaType, expiresMs } = readExportBody(call.body, nowMs)
        const found = sources.read(dataset.id, body, call.url.origin)
        checkScope(call.principal, accessOf(found))
        for (const object of ['insight', 'dashboard'] as const) {
          const id = body[object]
          if (id !== undefined) await checkObject(metadata.db, object, dataset.id, id, object)
        }
        const extension = mediaType === 'text/csv' ? 'csv' : 'json'
        refuseUnknown(queryOf(found, extension), Object.keys(found.route.parameters ?? {}))
        const name = body.export_context?.filename ?? `${dataset.id}-${found.source.path}`
        const made = {
          source: JSON.stringify(found.source),
          media_type: mediaType,
          filename: `${plainName(name)}.${extension}`,
          created_by: call.principal.name,
          expires_at: expiresMs,
        }
        const row = await store.create(dataset.id, made, nowMs)
        if (row === null) throw tooMany()
        return { status: 201, body: present(row) }
      },
    },
    {
      ...common,
      method: 'GET',
      path: `${path}/:id`,
      summary: 'One export: how far it is, its rows, why it failed.',
      access: read,
      success: { status: 200, description: 'As it is now.', schema: View },
      example: { ...one, answer: EXAMPLE },
      answer: async (call) => ({ body: present(await existing(call)) }),
    },
    {
      ...common,
      method: 'GET',
      path: `${path}/:id/content`,
      summary: 'The file. The key also needs the scope of what was exported.',
      access: read,
      parameters: { download: flagDeclared('Whether a browser saves it instead of showing it.') },
      success: { status: 200, description: 'The file, with its length.', mediaType: 'text/csv' },
      example: {
        ...one,
        query: { download: 'true' },
        answer: 'id,timestamp,event,distinct_id,properties\r\n',
      },
      async answer(call) {
        refuseUnknown(call.query, ['download'])
        const isDownload = choiceParameter(call.query, 'download', ['true', 'false'], 'false') === 'true'
        const row = await existing(call)
        const found = sources.find(JSON.parse(row.source) as ExportSource)
        // What cannot be told to be anybody's is nobody's.
        if (found === null) throw notFound()
        checkScope(call.principal, accessOf(found))
        if (row.status !== 'completed') throw notReady(row)
        const file = await content.open(contentKey(row, row.attempts))
        if (file === null) throw notFound('The file of this export is not there any more.')
        return {
          headers: {
            'content-type': `${row.media_type}; charset=utf-8`,
            'content-length': String(file.length),
            'content-disposition': `${isDownload ? 'attachment' : 'inline'}; filename="${row.filename}"`,
          },
          body: file.body,
        }
      },
    },
    {
      ...common,
      method: 'DELETE',
      path: `${path}/:id`,
      summary: 'Removes it and its file for good; one that is being made is ended.',
      access: write,
      success: { status: 204, description: 'It is gone.' },
      example: one,
      async answer(call) {
        const row = await store.remove(call.question.dataset.id, idOf(call))
        if (row === null) throw notFound()
        await removeContents(content, row, row.attempts)
        return { status: 204 }
      },
    },
  ]
}

function notReady({ status, error }: ExportRow): ApiError {
  return new ApiError(409, {
    type: 'invalid_request',
    code: status === 'failed' ? 'export_failed' : 'not_ready',
    detail:
      status === 'failed' ? `This export failed: ${error}` : `This export is ${status}. Ask again shortly.`,
    attr: null,
  })
}

function tooMany(): ApiError {
  return new ApiError(400, {
    type: 'validation_error',
    code: 'limit_reached',
    detail: 'This dataset has as many exports as it may. Delete some.',
    attr: null,
  })
}
