import { invalidInput } from './api-error.ts'
import { refuseDeep } from './read-body.ts'
import { type RawQuery, textParameter } from './request-parameters.ts'

/** Longest JSON in an address, characters. */
export const JSON_LENGTH_MAX = 65_536

/**
 * A parameter that is JSON; undefined where it is left out.
 *
 * @param fault what is said of text that is no JSON
 * @throws ApiError 400 for what is no JSON, is too long or nested too deeply
 */
export function jsonParameter(query: RawQuery, name: string, fault = `${name} is JSON: {"…":"…"}.`): unknown {
  const text = textParameter(query, name, JSON_LENGTH_MAX)
  if (text === null) return undefined
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw invalidInput(name, fault)
  }
  refuseDeep(parsed, name)
  return parsed
}
