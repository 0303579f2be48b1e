import type { Ask } from './ask.ts'
import type { Question } from './question.ts'

/** Distinct ids of a person in an answer at most; all of them are counted. */
export const DISTINCT_IDS_SHOWN_MAX = 100
/** Values of one statement, bytes: they travel in its address, escaped. */
const KEYS_BYTES_MAX = 100_000

/** The distinct ids that a person has now. */
export interface OwnedIds {
  /** In alphabetical order, the first {@link DISTINCT_IDS_SHOWN_MAX} of them. */
  readonly ids: readonly string[]
  readonly count: number
}

/** The distinct ids of persons, by their keys. A person that only events tell of is not among them. */
export async function ownedIds(
  ask: Ask,
  question: Question,
  keys: readonly string[],
  shownMax = DISTINCT_IDS_SHOWN_MAX,
): Promise<ReadonlyMap<string, OwnedIds>> {
  const found = new Map<string, OwnedIds>()
  for (const some of inPieces(keys)) {
    const rows = await ask<{ key: string; ids: string[]; owned: number | string }>(question, (bindings) => {
      const own = `dataset_id = ${bindings.bind(question.dataset.id, 'String')}`
      const among = bindings.bind(some, 'Array(String)')
      return (
        `SELECT key, arraySlice(arraySort(groupArray(distinct_id)), 1, ${bindings.bind(shownMax, 'UInt64')}) AS ids, ` +
        'count() AS owned FROM (' +
        'SELECT distinct_id, argMax(person_key, version) AS key, argMax(is_deleted, version) AS is_gone ' +
        `FROM person_distinct_ids WHERE ${own} AND distinct_id IN ` +
        `(SELECT distinct_id FROM person_distinct_ids WHERE ${own} AND person_key IN (${among})) GROUP BY distinct_id` +
        `) WHERE NOT is_gone AND key IN (${among}) GROUP BY key`
      )
    })
    for (const { key, ids, owned } of rows) found.set(key, { ids, count: Number(owned) })
  }
  return found
}

/** No piece with more than so many bytes, unless one value alone has them. */
export function inPieces(values: readonly string[]): readonly string[][] {
  const pieces: string[][] = []
  let bytes = Number.POSITIVE_INFINITY
  for (const value of values) {
    const own = Buffer.byteLength(value)
    if (bytes + own > KEYS_BYTES_MAX) {
      pieces.push([])
      bytes = 0
    }
    pieces.at(-1)?.push(value)
    bytes += own
  }
  return pieces
}
