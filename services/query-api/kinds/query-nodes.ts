import { invalidInput } from '../http/api-error.ts'
import { NAME_LENGTH_MAX } from '../http/request-parameters.ts'

/** A query, or a part of one, as JSON has it. */
export type Node = Readonly<Record<string, unknown>>

/** Members of any query that say who made it, and change nothing of the answer. */
export const UNUSED_MEMBERS = ['kind', 'response', 'tags', 'version'] as const

/** @throws ApiError 400 for anything but an object */
export function nodeOf(value: unknown, attr: string): Node {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Node
  throw invalidInput(attr, 'This must be an object.')
}

/** The object, empty where it is left out. @throws ApiError 400 */
export function optionalNode(value: unknown, attr: string): Node {
  return value === undefined || value === null ? {} : nodeOf(value, attr)
}

/** @throws ApiError 400 for the first member that is set and not among these */
export function refuseMembers(node: Node, known: readonly string[], attr: string): void {
  const unknown = Object.keys(node).find(
    (name) => !known.includes(name) && node[name] !== null && node[name] !== undefined,
  )
  if (unknown !== undefined)
    throw invalidInput(
      `${attr}__${unknown.slice(0, NAME_LENGTH_MAX)}`,
      `This is not supported here. What is: ${known.join(', ')}.`,
    )
}

/** `funnelWindowInterval` as parameters call it, `funnel_window_interval`. */
export function parameterName(member: string): string {
  return member
    .replace(/HogQL/g, 'Hogql')
    .replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)
    .replace(/^_/, '')
}

/** A list of texts. @throws ApiError 400 */
export function textsOf(value: unknown, attr: string, max: number): string[] {
  if (value === undefined || value === null) return []
  if (Array.isArray(value) && value.length <= max && value.every((one) => typeof one === 'string'))
    return value
  throw invalidInput(attr, `This must be a list of at most ${max} texts.`)
}

/** @throws ApiError 400 */
export function wholeOf(value: unknown, attr: string, min: number, max: number, otherwise: number): number {
  if (value === undefined || value === null) return otherwise
  if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value
  throw invalidInput(attr, `This must be a whole number from ${min} to ${max}.`)
}
