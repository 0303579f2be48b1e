import { sql } from 'kysely'
import type { RecordingPlaylistRow } from '../../core/metadata/metadata-tables.ts'
import { createJournaledStore, type Writer } from '../objects/journaled-store.ts'
import { flagged, orderedBy, USUAL_ORDERS } from '../objects/list-store.ts'
import {
  holdsText,
  type ObjectStore,
  type ObjectTable,
  type Transactions,
  within,
} from '../objects/object-store.ts'
import { SHORT_ID_PATTERN } from '../objects/short-id.ts'

export const PLAYLISTS_MAX = 1_000

export interface PlaylistWriter extends Writer {
  /** A new id for addresses that people pass on. */
  readonly newShortId: () => string
}

/** @param by who asks */
export function playlistTable(by: string): ObjectTable {
  return {
    table: 'recording_playlists',
    objectsMax: PLAYLISTS_MAX,
    order: orderedBy(USUAL_ORDERS, '-updated_at'),
    where: (filters) => {
      const { search, created_by: createdBy } = filters
      return [
        ...(search ? [sql`(${holdsText('name', search)} OR ${holdsText('description', search)})`] : []),
        ...flagged(filters, 'pinned', sql`pinned = 1`),
        ...flagged(filters, 'user', sql`created_by = ${by}`),
        ...(createdBy ? [sql`created_by = ${createdBy}`] : []),
      ]
    },
  }
}

/** Last changed first. An address names one by its number or its short id. */
export function createPlaylistStore(
  metadata: Transactions,
  writer: PlaylistWriter,
): ObjectStore<RecordingPlaylistRow> {
  const kind = playlistTable(writer.by)
  const storeOf = (on: Transactions) =>
    createJournaledStore<RecordingPlaylistRow>(on, kind, 'session_recording_playlist', writer)
  const plain = storeOf(metadata)

  return {
    ...plain,
    numberOf: async (dataset, text) => {
      if (!SHORT_ID_PATTERN.test(text)) return null
      const row = await metadata.db
        .selectFrom('recording_playlists')
        .select('id')
        .where('dataset_id', '=', dataset)
        .where('short_id', '=', text)
        .executeTakeFirst()
      return row?.id ?? null
    },
    create: (dataset, columns, atMs, by) =>
      plain.create(dataset, { ...columns, short_id: writer.newShortId() }, atMs, by),
    remove: (dataset, id) =>
      metadata.transaction(async (db) => {
        if (!(await storeOf(within(db)).remove(dataset, id))) return false
        await db
          .deleteFrom('playlist_recordings')
          .where('dataset_id', '=', dataset)
          .where('playlist_id', '=', id)
          .execute()
        return true
      }),
  }
}
