/** Longest distinct id, and longest kind or key of a group, in UTF-16 units. */
export const ID_LENGTH_MAX = 400

/** Words that clients send for somebody they do not know, in any case. Many people share them. */
const PLACEHOLDERS: ReadonlySet<string> = new Set([
  'anonymous',
  'guest',
  'distinctid',
  'distinct_id',
  'id',
  'not_authenticated',
  'email',
  'undefined',
  'true',
  'false',
])

/** What programs write for nothing, exactly so. */
const NOTHINGS: ReadonlySet<string> = new Set(['[object Object]', 'NaN', 'None', 'none', 'null', '0'])

/**
 * Can this text name a person at all? U+0000 cannot be stored everywhere, and U+0001 stands in the keys of persons
 * whose own name was taken.
 */
export function isNameable(id: string): boolean {
  return id !== '' && id.length <= ID_LENGTH_MAX && !id.includes('\u0000') && !id.includes('\u0001')
}

/** May two ids of which this is one be said to be the same person? */
export function isMergeable(id: string): boolean {
  return isNameable(id) && id.trim() !== '' && !PLACEHOLDERS.has(id.toLowerCase()) && !NOTHINGS.has(id)
}
