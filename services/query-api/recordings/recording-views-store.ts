import type { Metadata } from '../../core/metadata/metadata.ts'

/** Who has looked at which sessions. Every member rejects with a DependencyError when the database does not answer. */
export interface RecordingViews {
  /** Those of the sessions that somebody has looked at. */
  viewed(dataset: string, by: string, sessions: readonly string[]): Promise<ReadonlySet<string>>
  /** Notes or takes back that somebody has looked at it; a second time changes nothing. */
  note(dataset: string, by: string, session: string, isViewed: boolean, atMs: number): Promise<void>
}

export function createRecordingViews({ db }: Pick<Metadata, 'db'>): RecordingViews {
  return {
    async viewed(dataset, by, sessions) {
      if (sessions.length === 0) return new Set()
      const rows = await db
        .selectFrom('recording_views')
        .select('session_id')
        .where('dataset_id', '=', dataset)
        .where('viewed_by', '=', by)
        .where('session_id', 'in', [...sessions])
        .execute()
      return new Set(rows.map(({ session_id }) => session_id))
    },
    async note(dataset, by, session, isViewed, atMs) {
      const row = { dataset_id: dataset, session_id: session, viewed_by: by, viewed_at: atMs }
      if (isViewed)
        await db
          .insertInto('recording_views')
          .values(row)
          .onConflict((conflict) => conflict.doNothing())
          .execute()
      else
        await db
          .deleteFrom('recording_views')
          .where('dataset_id', '=', dataset)
          .where('session_id', '=', session)
          .where('viewed_by', '=', by)
          .execute()
    },
  }
}
