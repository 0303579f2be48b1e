import type { Metadata, MetadataQueries } from '../../core/metadata/metadata.ts'
import type { RecordingPlaylistRow } from '../../core/metadata/metadata-tables.ts'
import { noteActivity } from '../activity/activity-store.ts'
import { invalidInput } from '../http/api-error.ts'
import type { Writer } from '../objects/journaled-store.ts'
import { createObjectStore, within } from '../objects/object-store.ts'
import { SESSION_IDS_MAX } from '../recordings/recordings-request.ts'
import { playlistTable } from './playlist-store.ts'

/** On one playlist: as many as one question about recordings may name. */
export const PLAYLIST_RECORDINGS_MAX = SESSION_IDS_MAX

/** What was put on playlists by hand. Every member rejects with a DependencyError when the database does not answer. */
export interface PlaylistRecordings {
  /** Ids of sessions, those first that were added last. */
  sessions(dataset: string, playlist: number): Promise<readonly string[]>
  /** A second time changes nothing. @throws ApiError 400 when it is full */
  add(playlist: RecordingPlaylistRow, session: string, writer: Writer): Promise<void>
  /** @returns whether it was there */
  remove(playlist: RecordingPlaylistRow, session: string, writer: Writer): Promise<boolean>
}

export function createPlaylistRecordings(metadata: Pick<Metadata, 'db' | 'transaction'>): PlaylistRecordings {
  const rowsOf = (db: MetadataQueries, dataset: string, playlist: number) =>
    db
      .selectFrom('playlist_recordings')
      .select('session_id')
      .where('dataset_id', '=', dataset)
      .where('playlist_id', '=', playlist)
      .orderBy('added_at', 'desc')
      .orderBy('session_id')
      .execute()

  return {
    sessions: async (dataset, playlist) =>
      (await rowsOf(metadata.db, dataset, playlist)).map(({ session_id: id }) => id),
    add: (playlist, session, { by, atMs }) =>
      metadata.transaction(async (db) => {
        const { dataset_id: dataset, id } = playlist
        const { numInsertedOrUpdatedRows: added } = await db
          .insertInto('playlist_recordings')
          .values({ dataset_id: dataset, playlist_id: id, session_id: session, added_at: atMs, added_by: by })
          .onConflict((conflict) => conflict.doNothing())
          .executeTakeFirst()
        if ((added ?? 0n) === 0n) return
        // The playlist is locked from here on, so nobody else adds one before this is counted.
        await noteChange(db, playlist, { by, atMs })
        if ((await rowsOf(db, dataset, id)).length > PLAYLIST_RECORDINGS_MAX)
          throw invalidInput(
            'recordings',
            `A playlist has at most ${PLAYLIST_RECORDINGS_MAX} recordings.`,
            'limit_reached',
          )
      }),
    remove: (playlist, session, writer) =>
      metadata.transaction(async (db) => {
        const { numDeletedRows: gone } = await db
          .deleteFrom('playlist_recordings')
          .where('dataset_id', '=', playlist.dataset_id)
          .where('playlist_id', '=', playlist.id)
          .where('session_id', '=', session)
          .executeTakeFirst()
        if (gone === 0n) return false
        await noteChange(db, playlist, writer)
        return true
      }),
  }
}

async function noteChange(
  db: MetadataQueries,
  { dataset_id: dataset, id: objectId, name }: RecordingPlaylistRow,
  { by, atMs }: Writer,
): Promise<void> {
  const playlists = createObjectStore<RecordingPlaylistRow>(within(db), playlistTable(by))
  await playlists.update(dataset, objectId, { last_modified_by: by }, atMs, null)
  await noteActivity(db, dataset, {
    object: 'session_recording_playlist',
    objectId,
    name,
    activity: 'updated',
    fields: ['recordings'],
    by,
    atMs,
  })
}
