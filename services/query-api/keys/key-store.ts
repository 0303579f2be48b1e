import type { Metadata } from '../../core/metadata/metadata.ts'
import type { PersonalApiKeyRow } from '../../core/metadata/metadata-tables.ts'

/** Personal API keys in the metadata database. Every member rejects with a DependencyError when it does not answer. */
export interface KeyStore {
  /** Newest first. There are few of them: who may see which is decided by their rights, row by row. */
  list(): Promise<PersonalApiKeyRow[]>
  get(id: string): Promise<PersonalApiKeyRow | null>
  /** By the hash of its text, or of its text before the last roll, whether that is still valid or not. */
  findByHash(sha256: string): Promise<PersonalApiKeyRow | null>
  insert(row: PersonalApiKeyRow): Promise<void>
  /** @returns the row as it is now; null when it is not there any more */
  update(id: string, change: Partial<PersonalApiKeyRow>): Promise<PersonalApiKeyRow | null>
  /** @param hourMs notes the use, unless this hour or a later one is noted already */
  noteUse(id: string, hourMs: number): Promise<void>
  remove(id: string): Promise<boolean>
}

export function createKeyStore({ db }: Pick<Metadata, 'db'>): KeyStore {
  const keys = () => db.selectFrom('personal_api_keys').selectAll()
  return {
    list: () => keys().orderBy('created_at', 'desc').orderBy('id').execute(),
    get: async (id) => (await keys().where('id', '=', id).executeTakeFirst()) ?? null,
    findByHash: async (sha256) =>
      (await keys()
        .where((either) => either.or([either('sha256', '=', sha256), either('previous_sha256', '=', sha256)]))
        .executeTakeFirst()) ?? null,
    insert: async (row) => {
      await db.insertInto('personal_api_keys').values(row).execute()
    },
    update: async (id, change) =>
      (await db
        .updateTable('personal_api_keys')
        .set(change)
        .where('id', '=', id)
        .returningAll()
        .executeTakeFirst()) ?? null,
    noteUse: async (id, hourMs) => {
      await db
        .updateTable('personal_api_keys')
        .set({ last_used_at: hourMs })
        .where('id', '=', id)
        .where((either) =>
          either.or([either('last_used_at', 'is', null), either('last_used_at', '<', hourMs)]),
        )
        .execute()
    },
    remove: async (id) => {
      const { numDeletedRows } = await db
        .deleteFrom('personal_api_keys')
        .where('id', '=', id)
        .executeTakeFirst()
      return numDeletedRows > 0n
    },
  }
}
