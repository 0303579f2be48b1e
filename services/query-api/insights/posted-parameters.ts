import { invalidInput } from '../http/api-error.ts'
import type { RawQuery } from '../http/request-parameters.ts'
import { textsOf } from './path-request.ts'

/**
 * Parameters of a call: those of the address, and over them the members of a JSON body, where lists and objects need
 * no JSON in text.
 *
 * @param body undefined or null without one
 * @throws ApiError 400 for a body that is no object
 */
export function postedParameters(query: RawQuery, body: unknown): RawQuery {
  if (body === undefined || body === null) return query
  if (typeof body !== 'object' || Array.isArray(body))
    throw invalidInput('body', 'The body is a JSON object of parameters.')
  return { ...query, ...textsOf(body as Readonly<Record<string, unknown>>) }
}
