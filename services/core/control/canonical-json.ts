import { createHash } from 'node:crypto'

/** Deepest nesting that is written; customers' JSON Schemas are the deepest objects there are. */
export const CANONICAL_DEPTH_MAX = 64

/**
 * One text per value: no white space, members sorted by UTF-16 code unit, members that are undefined left out.
 * Two objects are the same configuration exactly when these texts are equal.
 *
 * @throws RangeError past {@link CANONICAL_DEPTH_MAX} levels, TypeError for what JSON cannot hold
 */
export function canonicalJson(value: unknown): string {
  return write(value, 0)
}

/** Lower-case hex SHA-256 of the canonical JSON. */
export function canonicalHash(value: unknown): string {
  return createHash('sha256').update(canonicalJson(value)).digest('hex')
}

function write(value: unknown, depth: number): string {
  if (depth > CANONICAL_DEPTH_MAX) throw new RangeError(`nested more than ${CANONICAL_DEPTH_MAX} levels deep`)
  if (Array.isArray(value)) return `[${value.map((item) => write(item, depth + 1)).join(',')}]`
  if (typeof value === 'object' && value !== null) {
    const members = Object.keys(value)
      .sort()
      .map((name) => [name, (value as Record<string, unknown>)[name]] as const)
      .filter(([, member]) => member !== undefined)
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${write(member, depth + 1)}`).join(',')}}`
  }
  if (typeof value === 'number' && !Number.isFinite(value)) throw new TypeError(`${value} has no JSON form`)
  const text = JSON.stringify(value)
  if (text === undefined) throw new TypeError(`${typeof value} has no JSON form`)
  return text
}
