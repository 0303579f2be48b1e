import { createHash } from 'node:crypto'
import type { DefinitionRow } from '../../core/metadata/metadata-tables.ts'
import type { Seen } from './seen-definitions.ts'

/** A name that was seen, with what people say of it. */
export interface Definition {
  /** The same for the same name of the same dataset. */
  readonly id: string
  readonly seen: Seen
  readonly said: DefinitionRow | null
}

/** 32 hex digits of dataset, kind and name: nothing has to be stored for a name to have an id. */
export function definitionId(dataset: string, kind: string, name: string): string {
  return createHash('sha256')
    .update(JSON.stringify([dataset, kind, name]))
    .digest('hex')
    .slice(0, 32)
}

/** What was seen, less what was deleted and not seen since. */
export function definitionsOf(
  dataset: string,
  kind: string,
  seen: readonly Seen[],
  said: readonly DefinitionRow[],
): Definition[] {
  const byName = new Map(said.map((row) => [row.name, row]))
  return seen.flatMap((one) => {
    const row = byName.get(one.name) ?? null
    const isGone = row !== null && row.deleted_at !== null && (one.lastMs ?? 0) <= row.deleted_at
    return isGone ? [] : [{ id: definitionId(dataset, kind, one.name), seen: one, said: row }]
  })
}

export const ORDERINGS = ['name', '-name', 'last_seen_at', '-last_seen_at', 'volume', '-volume'] as const
export type DefinitionOrdering = (typeof ORDERINGS)[number]

export function inOrder(definitions: readonly Definition[], ordering: DefinitionOrdering): Definition[] {
  const sign = ordering.startsWith('-') ? -1 : 1
  const byName = (a: Definition, b: Definition) => (a.seen.name < b.seen.name ? -1 : 1)
  const numberOf: ((one: Definition) => number) | null = ordering.endsWith('name')
    ? null
    : ({ seen }) => (ordering.endsWith('volume') ? seen.volume : (seen.lastMs ?? 0))
  return definitions.toSorted((a, b) => {
    if (numberOf === null) return sign * byName(a, b)
    return sign * (numberOf(a) - numberOf(b)) || byName(a, b)
  })
}

/** Does its name, or what is said of it, hold every word of the search, in any case? */
export function holdsWords({ seen, said }: Definition, search: string): boolean {
  const text = `${seen.name} ${said?.description ?? ''}`.toLowerCase()
  return search
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}
