import { createHash } from 'node:crypto'
import type { Metadata, MetadataQueries } from '../../core/metadata/metadata.ts'
import type { DashboardShareRow } from '../../core/metadata/metadata-tables.ts'
import { noteActivity } from '../activity/activity-store.ts'
import type { Writer } from '../objects/journaled-store.ts'
import type { Dashboard } from './dashboard-store.ts'

/** Random bytes of a token: nobody guesses 192 bits, so one round of a hash is enough to keep them by. */
const TOKEN_BYTES = 24
export const TOKEN_PATTERN = /^[A-Za-z0-9_-]{32}$/
const TAIL_LENGTH = 4

/** Links that open one dashboard to whoever has them. Rejects with a DependencyError when the database does not answer. */
export interface ShareStore {
  of(dataset: string, dashboard: number): Promise<DashboardShareRow | null>
  /** @returns the token, which is kept nowhere; null when there is a link already */
  open(dashboard: Dashboard, writer: Writer): Promise<string | null>
  /** From then on its link leads nowhere. */
  close(dashboard: Dashboard, writer: Writer): Promise<void>
  byToken(token: string): Promise<DashboardShareRow | null>
}

/** @param randomBytes a cryptographic source */
export function createShareStore(
  metadata: Pick<Metadata, 'db' | 'transaction'>,
  randomBytes: (size: number) => Uint8Array,
): ShareStore {
  const { db } = metadata
  const find = (on: MetadataQueries, dataset: string, dashboard: number) =>
    on
      .selectFrom('dashboard_shares')
      .selectAll()
      .where('dataset_id', '=', dataset)
      .where('dashboard_id', '=', dashboard)
      .executeTakeFirst()
  const note = (
    on: MetadataQueries,
    { dataset_id: dataset, id: objectId, name }: Dashboard,
    activity: 'shared' | 'unshared',
    writer: Writer,
  ) => noteActivity(on, dataset, { object: 'dashboard', objectId, name, activity, fields: [], ...writer })

  return {
    of: async (dataset, dashboard) => (await find(db, dataset, dashboard)) ?? null,
    open: (dashboard, { by, atMs }) =>
      metadata.transaction(async (inside) => {
        const token = Buffer.from(randomBytes(TOKEN_BYTES)).toString('base64url')
        const { numInsertedOrUpdatedRows: made } = await inside
          .insertInto('dashboard_shares')
          .values({
            sha256: hashOf(token),
            dataset_id: dashboard.dataset_id,
            dashboard_id: dashboard.id,
            tail: token.slice(-TAIL_LENGTH),
            created_at: atMs,
            created_by: by,
          })
          .onConflict((conflict) => conflict.columns(['dataset_id', 'dashboard_id']).doNothing())
          .executeTakeFirst()
        if ((made ?? 0n) === 0n) return null
        await note(inside, dashboard, 'shared', { by, atMs })
        return token
      }),
    close: (dashboard, { by, atMs }) =>
      metadata.transaction(async (inside) => {
        const { numDeletedRows: gone } = await inside
          .deleteFrom('dashboard_shares')
          .where('dataset_id', '=', dashboard.dataset_id)
          .where('dashboard_id', '=', dashboard.id)
          .executeTakeFirst()
        if (gone > 0n) await note(inside, dashboard, 'unshared', { by, atMs })
      }),
    byToken: async (token) =>
      (await db
        .selectFrom('dashboard_shares')
        .selectAll()
        .where('sha256', '=', hashOf(token))
        .executeTakeFirst()) ?? null,
  }
}

function hashOf(token: string): string {
  return createHash('sha256').update(token).digest('hex')
}
