import type { JsonObject } from '../../../schemas/field.ts'

export interface PropertyUpdates {
  readonly setOnce?: JsonObject | undefined
  readonly set?: JsonObject | undefined
  readonly unset?: readonly string[] | undefined
}

/**
 * Fills what is missing (`setOnce`), then overwrites (`set`), then removes (`unset`).
 *
 * @returns the very object that was given where nothing changes. Values are compared by their JSON: a number that is
 *   kept as its digits is an object here
 */
export function updateProperties(current: JsonObject, updates: PropertyUpdates): JsonObject {
  const { setOnce = {}, set = {}, unset = [] } = updates
  // No prototype: a property called __proto__ is data.
  const next: JsonObject = Object.assign(Object.create(null), current)
  for (const name of Object.keys(setOnce)) if (!Object.hasOwn(next, name)) next[name] = setOnce[name]
  for (const name of Object.keys(set)) next[name] = set[name]
  for (const name of unset) delete next[name]
  return equalProperties(current, next) ? current : next
}

/** The swallowed person's, under the survivor's. */
export function mergeProperties(survivor: JsonObject, swallowed: JsonObject): JsonObject {
  return updateProperties(survivor, { setOnce: swallowed })
}

export function propertiesBytes(properties: JsonObject): number {
  return Buffer.byteLength(JSON.stringify(properties))
}

function equalProperties(one: JsonObject, other: JsonObject): boolean {
  const names = Object.keys(one)
  return (
    names.length === Object.keys(other).length &&
    names.every(
      (name) => Object.hasOwn(other, name) && JSON.stringify(one[name]) === JSON.stringify(other[name]),
    )
  )
}
