import { createHash } from 'node:crypto'
import { sql } from 'kysely'
import type { Metadata, MetadataQueries } from '../../core/metadata/metadata.ts'
import type { MetadataTables, ShareRow } from '../../core/metadata/metadata-tables.ts'
import { noteActivity } from '../activity/activity-store.ts'
import type { ScopeObject } from '../http/scopes.ts'
import type { Writer } from '../objects/journaled-store.ts'

/** Random bytes of a token: nobody guesses 192 bits, so one round of a hash is enough to keep them by. */
const TOKEN_BYTES = 24
export const TOKEN_PATTERN = /^[A-Za-z0-9_-]{32}$/
const TAIL_LENGTH = 4

/** A kind of things that can be shared: by what they are told apart, and where their links lie. */
export interface ShareKind<Id extends number | string> {
  readonly object: ScopeObject
  readonly table: keyof MetadataTables
  /** The column with the id of what is shared. */
  readonly column: string
  /** By which activities name it; 0 where it has no number. */
  numberOf(id: Id): number
}

const itself = (id: number) => id
export const DASHBOARD_SHARES: ShareKind<number> = {
  object: 'dashboard',
  table: 'dashboard_shares',
  column: 'dashboard_id',
  numberOf: itself,
}
export const INSIGHT_SHARES: ShareKind<number> = {
  object: 'insight',
  table: 'insight_shares',
  column: 'insight_id',
  numberOf: itself,
}
export const RECORDING_SHARES: ShareKind<string> = {
  object: 'session_recording',
  table: 'recording_shares',
  column: 'session_id',
  numberOf: () => 0,
}

/** What is shared. */
export interface Shareable<Id> {
  readonly dataset_id: string
  readonly id: Id
  readonly name: string
}

export interface Share<Id> extends ShareRow {
  readonly shared_id: Id
}

/** Links that open one thing to whoever has them. Rejects with a DependencyError when the database does not answer. */
export interface ShareStore<Id> {
  of(dataset: string, id: Id): Promise<Share<Id> | null>
  /** @returns the token, which is kept nowhere; null when there is a link already */
  open(shared: Shareable<Id>, writer: Writer): Promise<string | null>
  /** From then on its link leads nowhere. */
  close(shared: Shareable<Id>, writer: Writer): Promise<void>
  byToken(token: string): Promise<Share<Id> | null>
}

/** @param randomBytes a cryptographic source */
export function createShareStore<Id extends number | string>(
  metadata: Pick<Metadata, 'db' | 'transaction'>,
  kind: ShareKind<Id>,
  randomBytes: (size: number) => Uint8Array,
): ShareStore<Id> {
  const [table, idColumn] = [sql.table(kind.table), sql.ref(kind.column)]
  const found = async (condition: ReturnType<typeof sql>): Promise<Share<Id> | null> => {
    const { rows } = await sql<
      Share<Id>
    >`SELECT sha256, dataset_id, ${idColumn} AS shared_id, tail, created_at, created_by
      FROM ${table} WHERE ${condition}`.execute(metadata.db)
    return rows[0] ?? null
  }
  const note = (
    db: MetadataQueries,
    { dataset_id: dataset, id, name }: Shareable<Id>,
    activity: 'shared' | 'unshared',
    writer: Writer,
  ) => {
    const objectId = kind.numberOf(id)
    return noteActivity(db, dataset, { object: kind.object, objectId, name, activity, fields: [], ...writer })
  }

  return {
    of: (dataset, id) => found(sql`dataset_id = ${dataset} AND ${idColumn} = ${id}`),
    open: (shared, { by, atMs }) =>
      metadata.transaction(async (db) => {
        const token = Buffer.from(randomBytes(TOKEN_BYTES)).toString('base64url')
        const { numAffectedRows: made } = await sql`INSERT INTO ${table}
          (sha256, dataset_id, ${idColumn}, tail, created_at, created_by)
          VALUES (${hashOf(token)}, ${shared.dataset_id}, ${shared.id}, ${token.slice(-TAIL_LENGTH)}, ${atMs}, ${by})
          ON CONFLICT (dataset_id, ${idColumn}) DO NOTHING`.execute(db)
        if ((made ?? 0n) === 0n) return null
        await note(db, shared, 'shared', { by, atMs })
        return token
      }),
    close: (shared, { by, atMs }) =>
      metadata.transaction(async (db) => {
        if (await closeShare(db, kind, shared)) await note(db, shared, 'unshared', { by, atMs })
      }),
    byToken: (token) => found(sql`sha256 = ${hashOf(token)}`),
  }
}

/** Removes the link of what is shared no more, or is no more. @returns whether there was one */
export async function closeShare<Id extends number | string>(
  db: MetadataQueries,
  { table, column }: Pick<ShareKind<Id>, 'table' | 'column'>,
  { dataset_id: dataset, id }: Pick<Shareable<Id>, 'dataset_id' | 'id'>,
): Promise<boolean> {
  const { numAffectedRows: gone } = await sql`DELETE FROM ${sql.table(table)}
    WHERE dataset_id = ${dataset} AND ${sql.ref(column)} = ${id}`.execute(db)
  return (gone ?? 0n) > 0n
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
