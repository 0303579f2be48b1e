import type { Metadata } from '../../core/metadata/metadata.ts'

/** Tables that say something about single recordings. */
const ABOUT_RECORDINGS = ['recording_views', 'playlist_recordings', 'recording_shares'] as const

/** Removes what is noted about a recording that is no more: who looked at it, its playlists, its link. */
export function forgetRecording(
  metadata: Pick<Metadata, 'transaction'>,
  dataset: string,
  session: string,
): Promise<void> {
  return metadata.transaction(async (db) => {
    for (const table of ABOUT_RECORDINGS)
      await db.deleteFrom(table).where('dataset_id', '=', dataset).where('session_id', '=', session).execute()
  })
}
