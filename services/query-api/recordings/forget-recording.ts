import type { Metadata } from '../../core/metadata/metadata.ts'

/** Tables that say something about single recordings. */
const ABOUT_RECORDINGS = ['recording_views', 'playlist_recordings'] as const

/** Removes what people have noted about a recording that is no more: who looked at it, and which playlists it was on. */
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
