import type { Metadata } from '../../core/metadata/metadata.ts'

/** Tables that say something about single recordings. */
const ABOUT_RECORDINGS = ['recording_views', 'playlist_recordings', 'recording_shares'] as const

/** Removes what is noted about recordings that are no more: who looked at them, their playlists, their links. */
export function forgetRecordings(
  metadata: Pick<Metadata, 'transaction'>,
  dataset: string,
  sessions: readonly string[],
): Promise<void> {
  return metadata.transaction(async (db) => {
    for (const table of ABOUT_RECORDINGS)
      await db
        .deleteFrom(table)
        .where('dataset_id', '=', dataset)
        .where('session_id', 'in', sessions)
        .execute()
  })
}
