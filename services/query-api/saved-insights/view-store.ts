import { sql } from 'kysely'
import type { Metadata } from '../../core/metadata/metadata.ts'

/** Who looked at which insight when. Every member rejects with a DependencyError when the database does not answer. */
export interface ViewStore {
  /** @returns whether there is such an insight */
  note(dataset: string, viewer: string, insight: number, atMs: number): Promise<boolean>
  /** Numbers of insights that are not deleted, those that he looked at last first. */
  last(dataset: string, viewer: string, limit: number): Promise<number[]>
}

export function createViewStore({ db }: Pick<Metadata, 'db'>): ViewStore {
  return {
    async note(dataset, viewer, insight, atMs) {
      const { rows } = await sql`INSERT INTO insight_views (dataset_id, viewer, insight_id, viewed_at)
        SELECT dataset_id, CAST(${viewer} AS TEXT), id, CAST(${atMs} AS BIGINT) FROM insights
        WHERE dataset_id = ${dataset} AND id = ${insight} AND deleted = 0
        ON CONFLICT (dataset_id, viewer, insight_id) DO UPDATE SET viewed_at =
          CASE WHEN insight_views.viewed_at < excluded.viewed_at THEN excluded.viewed_at ELSE insight_views.viewed_at END
        RETURNING insight_id`.execute(db)
      return rows.length > 0
    },
    async last(dataset, viewer, limit) {
      const { rows } = await sql<{ id: number }>`SELECT insight_id AS id FROM insight_views
        WHERE dataset_id = ${dataset} AND viewer = ${viewer} AND EXISTS (SELECT 1 FROM insights
          WHERE insights.dataset_id = insight_views.dataset_id AND insights.id = insight_id AND deleted = 0)
        ORDER BY viewed_at DESC, insight_id DESC LIMIT ${limit}`.execute(db)
      return rows.map(({ id }) => id)
    },
  }
}
