import type { Metadata } from '../../core/metadata/metadata.ts'
import { noteDeletions, type RecordingStores } from '../../core/recordings/remove-recordings.ts'
import { invalidInput } from '../http/api-error.ts'
import type { DatasetCall } from '../http/route.ts'
import type { Ask } from '../query/ask.ts'
import { inPieces } from '../query/owned-ids.ts'
import { PERSON_KEY } from '../query/person-rows.ts'
import { sessionsSql } from '../query/recording-rows.ts'
import { forgetRecordings } from './forget-recordings.ts'

/** Recordings of one call. */
export const RECORDINGS_DELETED_MAX = 10_000

export interface DeletionNeeds {
  readonly ask: Ask
  readonly metadata: Pick<Metadata, 'transaction'>
  readonly stores: Pick<RecordingStores, 'clickhouse'>
}

/**
 * Deletes the recordings that lists show as those of these persons, for good: nobody is shown them from now on, and what
 * comes late of them neither. Their objects and rows go with the next look of the recordings stage. Once more, it deletes
 * what is left.
 *
 * @param keys of persons
 * @returns how many
 * @throws ApiError 400 for more than {@link RECORDINGS_DELETED_MAX}, of which none is deleted then
 */
export async function deleteRecordingsOf(
  { ask, metadata, stores }: DeletionNeeds,
  { question, principal }: DatasetCall,
  keys: readonly string[],
): Promise<number> {
  const dataset = question.dataset.id
  const sessions: string[] = []
  for (const some of inPieces(keys)) {
    const rows = await ask<{ id: string }>(question, (bindings) => {
      const all = sessionsSql(dataset, { fromMs: null, toMs: null }, null, bindings)
      return (
        `SELECT id FROM (${all}) WHERE ${PERSON_KEY} IN (${bindings.bind(some, 'Array(String)')}) ` +
        `LIMIT ${bindings.bind(RECORDINGS_DELETED_MAX + 1, 'UInt64')}`
      )
    })
    sessions.push(...rows.map(({ id }) => id))
    if (sessions.length > RECORDINGS_DELETED_MAX)
      throw invalidInput(
        'delete_recordings',
        `These persons have more than ${RECORDINGS_DELETED_MAX} recordings. Name fewer persons, or delete recordings of ` +
          'one by their ids before.',
        'max_length',
      )
  }
  if (sessions.length === 0) return 0
  const named = sessions.map((session_id) => ({ dataset_id: dataset, session_id }))
  await noteDeletions(stores, named, principal.name)
  await forgetRecordings(metadata, dataset, sessions)
  return sessions.length
}
