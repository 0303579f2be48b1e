import { readObject } from '../http/read-body.ts'
import type { RawQuery } from '../http/request-parameters.ts'

/**
 * Parameters of a call: those of the address, and over them the members of a JSON body, where lists and objects need
 * no JSON in text.
 *
 * @param body undefined or null without one
 * @throws ApiError 400 for a body that is no object
 */
export function postedParameters(query: RawQuery, body: unknown): RawQuery {
  return body === undefined || body === null ? query : { ...query, ...textsOf(readObject(body)) }
}

/** Parameters as they stand in an address: text as it is, everything else as JSON, nothing left out. */
export function textsOf(parameters: Readonly<Record<string, unknown>>): Record<string, string> {
  const texts: Record<string, string> = {}
  for (const [name, value] of Object.entries(parameters))
    if (value !== null && value !== undefined)
      texts[name] = typeof value === 'string' ? value : JSON.stringify(value)
  return texts
}
