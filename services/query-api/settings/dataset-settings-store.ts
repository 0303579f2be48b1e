import type { Metadata } from '../../core/metadata/metadata.ts'
import type { DatasetSettingsRow } from '../../core/metadata/metadata-tables.ts'

/** What people set for their dataset. Every member rejects with a DependencyError when the database does not answer. */
export interface DatasetSettingsStore {
  /** Null when nobody has set anything yet. */
  get(dataset: string): Promise<DatasetSettingsRow | null>
  put(row: DatasetSettingsRow): Promise<void>
}

export function createDatasetSettingsStore({ db }: Metadata): DatasetSettingsStore {
  return {
    get: async (dataset) =>
      (await db
        .selectFrom('dataset_settings')
        .selectAll()
        .where('dataset_id', '=', dataset)
        .executeTakeFirst()) ?? null,
    put: async ({ dataset_id, ...set }) => {
      await db
        .insertInto('dataset_settings')
        .values({ dataset_id, ...set })
        .onConflict((conflict) => conflict.column('dataset_id').doUpdateSet(set))
        .execute()
    },
  }
}
