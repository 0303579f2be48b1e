import { type TSchema, Type } from '@sinclair/typebox'
import { invalidInput } from './api-error.ts'
import { countDeclared, type ParameterDeclarations } from './parameter-declarations.ts'
import { countParameter, type RawQuery, textParameter } from './request-parameters.ts'
import type { Answer } from './route.ts'

/** Rows of a list that are passed over, at most: further on, a filter finds faster what is looked for. */
export const OFFSET_MAX = 10_000_000

/** A part of a list: how many rows after how many. */
export interface ListPage {
  readonly limit: number
  readonly offset: number
}

export interface PageSizes {
  readonly default: number
  readonly max: number
}

export const PAGE_SIZES: PageSizes = { default: 100, max: 1_000 }

export function pageParameters(sizes: PageSizes = PAGE_SIZES): ParameterDeclarations {
  return {
    limit: countDeclared('Objects per page.', sizes.default, sizes.max),
    offset: {
      description: 'Objects before the page.',
      schema: { ...countDeclared('', 1, OFFSET_MAX).schema, minimum: 0, default: 0 },
    },
  }
}

/** @throws ApiError 400 */
export function readPage(query: RawQuery, sizes: PageSizes = PAGE_SIZES): ListPage {
  const text = textParameter(query, 'offset') ?? '0'
  const offset = Number(text)
  if (!/^\d{1,8}$/.test(text) || offset > OFFSET_MAX)
    throw invalidInput('offset', `offset must be a whole number from 0 to ${OFFSET_MAX}.`)
  return { limit: countParameter(query, 'limit', sizes.default, sizes.max), offset }
}

/**
 * The envelope of lists: `{count, next, previous, results}`.
 *
 * @param count of all objects, on whatever page
 * @param own   the call's own address; a key in it is not repeated
 */
export function listAnswer(results: readonly unknown[], count: number, page: ListPage, own: URL): Answer {
  const { limit, offset } = page
  return {
    body: {
      count,
      next: offset + results.length < count ? pageAddress(own, { limit, offset: offset + limit }) : null,
      previous: offset > 0 ? pageAddress(own, { limit, offset: Math.max(0, offset - limit) }) : null,
      results,
    },
  }
}

/** Schema of the envelope. */
export function listOf(schema: TSchema): TSchema {
  const address = Type.Union([Type.String(), Type.Null()])
  return Type.Object({
    count: Type.Integer(),
    next: address,
    previous: address,
    results: Type.Array(schema),
  })
}

function pageAddress(own: URL, { limit, offset }: ListPage): string {
  const url = new URL(own)
  url.searchParams.set('limit', String(limit))
  if (offset === 0) url.searchParams.delete('offset')
  else url.searchParams.set('offset', String(offset))
  url.searchParams.delete('personal_api_key')
  return url.href
}
