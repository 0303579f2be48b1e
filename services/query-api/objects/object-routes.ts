import { type Static, type TObject, Type } from '@sinclair/typebox'
import type { ObjectRow } from '../../core/metadata/metadata-tables.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { isDependencyError } from '../../core/runtime/errors.ts'
import { ApiError, invalidInput, notFound } from '../http/api-error.ts'
import { listAnswer, listOf, pageParameters, readPage } from '../http/list-page.ts'
import { readBody } from '../http/read-body.ts'
import { type RawQuery, refuseUnknown, textParameter } from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetCall, type DatasetRoute, pathParameter } from '../http/route.ts'
import { type ObjectChange, patchBody, putBody, readChange } from './object-body.ts'
import type { ObjectFamily } from './object-family.ts'
import type { ColumnChange, ListFilters, ObjectStore, OwnColumns } from './object-store.ts'

/**
 * The six routes that every family of objects has. A deleted object is in no list and answered 404, but PATCH restores
 * it and DELETE removes it for good.
 *
 * @param store or what gives the store of one call: one that notes who writes
 */
export function objectRoutes<F extends TObject, R extends ObjectRow>(
  family: ObjectFamily<F, R>,
  store: ObjectStore<R> | ((call: DatasetCall) => ObjectStore<R>),
  clock: Pick<Clock, 'now'>,
): DatasetRoute[] {
  const { object, tag, fields, view, pages, example } = family
  const parameters = { ...family.filters, ...pageParameters(pages) }
  const post = withFields(fields, family.onlyPosted)
  const [put, patch] = [putBody(fields), patchBody(withFields(fields, family.onlyPatched))]
  const storeOf = typeof store === 'function' ? store : () => store

  const existing = (call: DatasetCall) => existingObject(storeOf(call), call)

  async function changed(call: DatasetCall, { fields: given, deleted, seenMs }: ObjectChange<F>) {
    const change = {
      ...family.columnsOf(given),
      ...(deleted === null ? {} : { deleted: Number(deleted) }),
    } as ColumnChange<R>
    const { id: dataset } = call.question.dataset
    const own = storeOf(call)
    const id = await numberOf(own, call)
    const row = await onlyOnce(family.unique, () => own.update(dataset, id, change, clock.now(), seenMs))
    if (row !== null) return { body: family.present(row) }
    throw (await own.get(dataset, id)) === null ? notFound() : changedMeanwhile()
  }

  const common = { about: 'dataset', tag, limit: 'default' } as const
  const read = { object, action: 'read' } as const
  const write = { object, action: 'write' } as const
  const path = `${DATASET_PATH}/${tag}`
  const many = { params: { dataset: 'shop' } }
  const one = { params: { dataset: 'shop', id: '1' } }
  const success = { status: 200, description: 'As it is now.', schema: view } as const
  return [
    {
      ...common,
      method: 'GET',
      path,
      summary: `Lists ${tag}.`,
      access: read,
      parameters,
      success: { status: 200, description: 'A page of them.', schema: listOf(view) },
      example: { ...many, answer: { count: 1, next: null, previous: null, results: [example.view] } },
      answer: async (call) => {
        refuseUnknown(call.query, Object.keys(parameters))
        const page = readPage(call.query, pages)
        const filters = readFilters(call.query, Object.keys(family.filters))
        const { rows, count } = await storeOf(call).list(call.question.dataset.id, filters, page)
        return listAnswer(rows.map(family.present), count, page, call.url)
      },
    },
    {
      ...common,
      method: 'POST',
      path,
      summary: `Makes one of the ${tag}.`,
      access: write,
      body: post,
      success: { status: 201, description: 'As it was made.', schema: view },
      example: { ...many, body: example.fields, answer: example.view },
      answer: async (call) => {
        const columns = family.columnsOf({ ...family.absent, ...(readBody(post, call.body) as Static<F>) })
        const { dataset } = call.question
        const row = await onlyOnce(family.unique, () =>
          storeOf(call).create(dataset.id, columns as OwnColumns<R>, clock.now(), call.principal.name),
        )
        if (row === null) throw tooMany(tag)
        return { status: 201, body: family.present(row) }
      },
    },
    {
      ...common,
      method: 'GET',
      path: `${path}/:id`,
      summary: `One of the ${tag}.`,
      access: read,
      success,
      example: { ...one, answer: example.view },
      answer: async (call) => ({ body: family.present(await existing(call)) }),
    },
    {
      ...common,
      method: 'PUT',
      path: `${path}/:id`,
      summary: 'Replaces it whole: a property that is left out is removed.',
      access: write,
      body: put,
      success,
      example: { ...one, body: example.fields, answer: example.view },
      answer: async (call) => {
        const change = readChange<F>(put, call.body)
        await existing(call)
        return changed(call, { ...change, fields: { ...family.absent, ...change.fields } })
      },
    },
    {
      ...common,
      method: 'PATCH',
      path: `${path}/:id`,
      summary: 'Changes what is named; `{"deleted": true}` deletes it so that it can be restored.',
      access: write,
      body: patch,
      success,
      example: { ...one, body: example.fields, answer: example.view },
      answer: (call) => changed(call, readChange<F>(patch, call.body)),
    },
    {
      ...common,
      method: 'DELETE',
      path: `${path}/:id`,
      summary: 'Removes it for good.',
      access: write,
      success: { status: 204, description: 'It is gone.' },
      example: one,
      answer: async (call) => {
        const own = storeOf(call)
        if (!(await own.remove(call.question.dataset.id, await numberOf(own, call)))) throw notFound()
        return { status: 204 }
      },
    },
  ]
}

function withFields<F extends TObject>(fields: F, further: TObject | undefined): F {
  if (further === undefined) return fields
  const properties = { ...fields.properties, ...further.properties }
  return Type.Object(properties, { additionalProperties: false }) as unknown as F
}

/** The object that the path names. @throws ApiError 404 where there is none, or a deleted one */
export async function existingObject<R extends ObjectRow>(
  store: Pick<ObjectStore<R>, 'get' | 'numberOf'>,
  call: DatasetCall,
): Promise<R> {
  const row = await store.get(call.question.dataset.id, await numberOf(store, call))
  if (row === null || row.deleted === 1) throw notFound()
  return row
}

/** The number in the path. @throws ApiError 404 for what is none of an object */
export function idOf(call: DatasetCall): number {
  const number = numberIn(pathParameter(call, 'id'))
  if (number === null) throw notFound()
  return number
}

/** The number of the object that the path names by its number or otherwise. @throws ApiError 404 */
export async function numberOf(
  store: Pick<ObjectStore<never>, 'numberOf'>,
  call: DatasetCall,
): Promise<number> {
  const text = pathParameter(call, 'id')
  const number = numberIn(text) ?? (await store.numberOf?.(call.question.dataset.id, text)) ?? null
  if (number === null) throw notFound()
  return number
}

function numberIn(text: string): number | null {
  return /^[1-9]\d{0,14}$/.test(text) ? Number(text) : null
}

function readFilters(query: RawQuery, names: readonly string[]): ListFilters {
  return Object.fromEntries(
    names.map((name) => {
      const text = textParameter(query, name)
      if (text?.includes('\0'))
        throw invalidInput(name, 'Null characters are not allowed.', 'null_characters_not_allowed')
      return [name, text]
    }),
  )
}

async function onlyOnce<T>(field: string | null, write: () => Promise<T>): Promise<T> {
  try {
    return await write()
  } catch (error) {
    if (field === null || !isDependencyError(error) || error.code !== 'precondition_failed') throw error
    throw invalidInput(field, `There is one with this ${field} already.`, 'unique')
  }
}

/** 409 for a change made from an object that is not there any more. @param attr what it was told by */
export function changedMeanwhile(attr = 'updated_at'): ApiError {
  return new ApiError(409, {
    type: 'invalid_request',
    code: 'conflict',
    detail: 'This has changed since you read it. Read it again and repeat your change.',
    attr,
  })
}

/** 400 for one object more than a dataset may have. */
export function tooMany(tag: string): ApiError {
  return new ApiError(400, {
    type: 'validation_error',
    code: 'limit_reached',
    detail: `This dataset has as many ${tag} as it may. Delete some for good.`,
    attr: null,
  })
}
