import { sql } from 'kysely'
import type { Metadata } from '../../core/metadata/metadata.ts'
import type { DefinitionRow } from '../../core/metadata/metadata-tables.ts'

/** What may be said of a definition. */
export type DefinitionChange = Partial<
  Pick<DefinitionRow, 'description' | 'tags' | 'verified' | 'property_type' | 'deleted_at'>
>

/** What people say about events and properties. Every member rejects with a DependencyError when the database does not answer. */
export interface DefinitionStore {
  /** Of all names of a kind that somebody has said something about. */
  list(dataset: string, kind: string): Promise<readonly DefinitionRow[]>
  /** Makes it where nobody has said anything yet. */
  change(
    dataset: string,
    kind: string,
    name: string,
    change: DefinitionChange,
    atMs: number,
    by: string,
  ): Promise<DefinitionRow>
}

const NOTHING_SAID = {
  description: '',
  tags: '[]',
  verified: 0,
  property_type: null,
  deleted_at: null,
} as const

export function createDefinitionStore({ db }: Pick<Metadata, 'db'>): DefinitionStore {
  return {
    list: (dataset, kind) =>
      db
        .selectFrom('definitions')
        .selectAll()
        .where('dataset_id', '=', dataset)
        .where('kind', '=', kind)
        .execute(),
    change(dataset, kind, name, change, atMs, by) {
      // A clock that steps back does not make a change older than the one before.
      const later = sql<number>`CASE WHEN definitions.updated_at < ${atMs} THEN ${atMs} ELSE definitions.updated_at + 1 END`
      return db
        .insertInto('definitions')
        .values({
          ...NOTHING_SAID,
          ...change,
          dataset_id: dataset,
          kind,
          name,
          updated_at: atMs,
          updated_by: by,
        })
        .onConflict((conflict) =>
          conflict
            .columns(['dataset_id', 'kind', 'name'])
            .doUpdateSet({ ...change, updated_at: later, updated_by: by }),
        )
        .returningAll()
        .executeTakeFirstOrThrow()
    },
  }
}
