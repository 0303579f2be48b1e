import { sql } from 'kysely'
import type { Metadata, MetadataQueries } from '../../core/metadata/metadata.ts'
import type { ActivityRow } from '../../core/metadata/metadata-tables.ts'
import type { ListPage } from '../http/list-page.ts'
import type { ScopeObject } from '../http/scopes.ts'
import { nextNumber } from '../objects/object-store.ts'

/** What can be done to an object. */
export type Activity = 'created' | 'updated' | 'deleted' | 'restored' | 'removed' | 'shared' | 'unshared'

export interface Happened {
  readonly object: ScopeObject
  readonly objectId: number
  readonly activity: Activity
  /** Of the object. */
  readonly name: string
  /** Names of the fields that were sent. */
  readonly fields: readonly string[]
  readonly by: string
  readonly atMs: number
}

/** Of one dataset; older ones are forgotten. */
export const ACTIVITIES_MAX = 10_000

/** @param db the transaction of the change itself: neither is there without the other */
export async function noteActivity(db: MetadataQueries, dataset: string, happened: Happened): Promise<void> {
  const id = await nextNumber(db, dataset, 'activities')
  await db
    .insertInto('activities')
    .values({
      dataset_id: dataset,
      id,
      object: happened.object,
      object_id: happened.objectId,
      activity: happened.activity,
      name: happened.name,
      fields: JSON.stringify(happened.fields),
      done_by: happened.by,
      done_at: happened.atMs,
    })
    .execute()
  await db
    .deleteFrom('activities')
    .where('dataset_id', '=', dataset)
    .where('id', '<=', id - ACTIVITIES_MAX)
    .execute()
}

/** Newest first. @param objectId null for all of that kind */
export async function listActivities(
  { db }: Pick<Metadata, 'db'>,
  dataset: string,
  object: ScopeObject,
  objectId: number | null,
  { limit, offset }: ListPage,
): Promise<{ readonly rows: ActivityRow[]; readonly count: number }> {
  const one = objectId === null ? sql`` : sql`AND object_id = ${objectId}`
  const from = sql`FROM activities WHERE dataset_id = ${dataset} AND object = ${object} ${one}`
  const counted = await sql<{ count: number }>`SELECT count(*) AS count ${from}`.execute(db)
  const { rows } =
    await sql<ActivityRow>`SELECT * ${from} ORDER BY id DESC LIMIT ${limit} OFFSET ${offset}`.execute(db)
  return { rows, count: counted.rows[0]?.count ?? 0 }
}
