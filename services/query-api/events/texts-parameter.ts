import { invalidInput } from '../http/api-error.ts'
import type { RawQuery } from '../http/request-parameters.ts'

/** Texts of one parameter. */
const TEXTS_MAX = 200

/**
 * A list of texts: one text, the parameter given several times, or a JSON list.
 *
 * @throws ApiError 400
 */
export function textsParameter(query: RawQuery, name: string): string[] {
  const given = query[name]
  if (given === undefined || given === '') return []
  const texts = typeof given === 'string' ? textsOf(given, name) : [...given]
  if (texts.length > TEXTS_MAX) throw invalidInput(name, `${name} is a list of at most ${TEXTS_MAX} texts.`)
  return texts
}

function textsOf(text: string, name: string): string[] {
  if (!text.startsWith('["') && text !== '[]') return [text]
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch {
    throw invalidInput(name, `${name} is a JSON list of texts, e.g. ["event","count()"].`)
  }
  if (Array.isArray(parsed) && parsed.every((one) => typeof one === 'string')) return parsed
  throw invalidInput(name, `${name} is a JSON list of texts, e.g. ["event","count()"].`)
}
