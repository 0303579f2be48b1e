import { invalidInput } from '../http/api-error.ts'

/** Values that a text names as `{name}`. */
export type GivenValues = ReadonlyMap<string, GivenValue | readonly GivenValue[]>
export type GivenValue = string | number | boolean | null

export const NO_VALUES: GivenValues = new Map()
const [VALUES_MAX, LIST_MAX] = [100, 1_000]

/** @param given `{name: value}`, a value being text, a number, true, false, null, or a list of them. @throws ApiError 400 */
export function readGivenValues(given: unknown, attr: string): GivenValues {
  if (given === undefined || given === null) return NO_VALUES
  if (typeof given !== 'object' || Array.isArray(given))
    throw invalidInput(attr, 'Values are an object: {"name":"value"}.')
  const entries = Object.entries(given)
  if (entries.length > VALUES_MAX) throw invalidInput(attr, `There may be at most ${VALUES_MAX} values.`)
  for (const [name, value] of entries) {
    const isFine = Array.isArray(value) ? value.length <= LIST_MAX && value.every(isValue) : isValue(value)
    if (!isFine)
      throw invalidInput(
        `${attr}__${name.slice(0, 100)}`,
        `A value is text, a number, true, false, null, or a list of at most ${LIST_MAX} of them.`,
      )
  }
  return new Map(entries as [string, GivenValue][])
}

function isValue(value: unknown): value is GivenValue {
  return value === null || ['string', 'number', 'boolean'].includes(typeof value)
}
