import type { JsonObject } from '../../../schemas/field.ts'

/** The members of a value that is an object; none of any other. */
export function objectIn(value: unknown): JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {}
}
