import { invalidInput } from './api-error.ts'

/** Query parameters as they came. */
export type RawQuery = Readonly<Record<string, string | readonly string[] | undefined>>

export const FORMATS = ['json', 'csv'] as const
export type Format = (typeof FORMATS)[number]

export const TEXT_LENGTH_MAX = 1_000
/** Of an unknown parameter's name that is repeated in the answer. */
export const NAME_LENGTH_MAX = 100

/** @throws ApiError 400 for a parameter that is given twice or is too long */
export function textParameter(query: RawQuery, name: string, lengthMax = TEXT_LENGTH_MAX): string | null {
  const value = query[name]
  if (value === undefined || value === '') return null
  if (typeof value !== 'string') throw invalidInput(name, `${name} may be given once.`)
  if (value.length > lengthMax) throw invalidInput(name, `${name} may have at most ${lengthMax} characters.`)
  return value
}

/** @throws ApiError 400 for one that is left out, too */
export function requiredText(query: RawQuery, name: string): string {
  const text = textParameter(query, name)
  if (text === null) throw invalidInput(name, `Say which: ${name}.`, 'required')
  return text
}

/** What was given but for these names. */
export function leavingOut<T>(
  given: Readonly<Record<string, T>>,
  names: readonly string[],
): Record<string, T> {
  return Object.fromEntries(Object.entries(given).filter(([name]) => !names.includes(name)))
}

/**
 * Refuses what a question does not know, because leaving it out would answer another question than was asked.
 *
 * @param known   parameters that are read
 * @param implied parameters that are not, with the values that ask for what is done anyway: clients send them along
 * @throws ApiError 400 that names the first one
 */
export function refuseUnknown(
  query: RawQuery,
  known: readonly string[],
  implied: ReadonlyMap<string, readonly string[]> = new Map(),
): void {
  for (const given of Object.keys(query)) {
    if (known.includes(given) || given === 'personal_api_key') continue
    const value = textParameter(query, given)
    const harmless = implied.get(given) ?? []
    if (value === null || harmless.includes(value)) continue
    const name = given.slice(0, NAME_LENGTH_MAX)
    throw invalidInput(name, `${name} is not supported here${exceptFor(known, harmless)}.`)
  }
}

function exceptFor(known: readonly string[], harmless: readonly string[]): string {
  if (harmless.length > 0) return `, except as ${harmless.join(' or ')}`
  return known.length > 0 ? `. What is: ${known.join(', ')}` : ': there are no parameters'
}

export function choiceParameter<const C extends readonly string[]>(
  query: RawQuery,
  name: string,
  choices: C,
  otherwise: C[number],
): C[number] {
  const value = textParameter(query, name) ?? otherwise
  if (!choices.includes(value)) throw invalidInput(name, `${name} must be one of ${choices.join(', ')}.`)
  return value
}

export function countParameter(query: RawQuery, name: string, otherwise: number, max: number): number {
  const text = textParameter(query, name)
  if (text === null) return otherwise
  const value = Number(text)
  if (!/^\d{1,9}$/.test(text) || value < 1 || value > max)
    throw invalidInput(name, `${name} must be a whole number from 1 to ${max}.`)
  return value
}

/** @returns null for `all` */
export function countOrAllParameter(
  query: RawQuery,
  name: string,
  otherwise: number,
  max: number,
): number | null {
  return textParameter(query, name) === 'all' ? null : countParameter(query, name, otherwise, max)
}
