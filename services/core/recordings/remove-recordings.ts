import type { ClickHouse } from '../clickhouse/clickhouse.ts'
import type { ObjectStore } from '../object-store/object-store.ts'
import { sessionPrefix } from './block-names.ts'

export interface RecordingStores {
  readonly clickhouse: Pick<ClickHouse, 'command' | 'query' | 'insert'>
  readonly store: Pick<ObjectStore, 'list' | 'delete'>
  readonly bucket: string
}

export interface SessionName {
  readonly dataset_id: string
  readonly session_id: string
}

/** Deletes that return when the rows are gone from disk, on every replica. */
const AT_ONCE = { settings: { mutations_sync: 2 } } as const

/**
 * Removes a session for good: from when this has begun nobody is shown it. What of it is still on its way into the tables
 * is not shown either, and goes with the next {@link removeDeleted}.
 *
 * Killed in between, it is completed by the next call, or by {@link removeDeleted}: the rows, which tell that there is
 * something to remove, go last.
 */
export async function deleteSession(
  stores: RecordingStores,
  session: SessionName,
  by: string,
): Promise<void> {
  await noteDeletions(stores, [session], by)
  await removeSession(stores, session)
}

/** Says of sessions that they are deleted: nobody is shown them from now on, and {@link removeDeleted} removes them. */
export async function noteDeletions(
  { clickhouse }: Pick<RecordingStores, 'clickhouse'>,
  sessions: readonly SessionName[],
  by: string,
): Promise<void> {
  const rows = sessions.map((session) => JSON.stringify({ ...session, deleted_by: by }))
  await clickhouse.insert('recording_deletions', 'JSONEachRow', Buffer.from(rows.join('\n')), {
    async_insert: 0,
  })
}

async function removeSession(
  { clickhouse, store, bucket }: RecordingStores,
  session: SessionName,
): Promise<void> {
  const { dataset_id, session_id } = session
  for await (const { key } of store.list(bucket, sessionPrefix(dataset_id, session_id)))
    await store.delete(bucket, key)
  await clickhouse.command(
    'ALTER TABLE recording_chunks DELETE WHERE dataset_id = {dataset_id:String} AND session_id = {session_id:String}',
    { dataset_id, session_id },
    { ...AT_ONCE, dataset: dataset_id },
  )
}

/**
 * Removes what came of sessions after they were deleted.
 *
 * @param sessionsMax at most; the others wait for the next call
 * @returns how many sessions had anything
 */
export async function removeDeleted(stores: RecordingStores, sessionsMax: number): Promise<number> {
  const late = await stores.clickhouse.query<SessionName>(
    `SELECT DISTINCT dataset_id, session_id FROM recording_chunks
     WHERE (dataset_id, session_id) IN (SELECT dataset_id, session_id FROM recording_deletions)
     LIMIT {sessionsMax:UInt32}`,
    { sessionsMax },
  )
  for (const session of late) await removeSession(stores, session)
  return late.length
}

/**
 * Removes blocks that are older than recordings are kept: those whose last chunk arrived before a time.
 *
 * @param blocksMax at most
 * @returns how many were removed
 */
export async function removeExpired(
  { clickhouse, store, bucket }: RecordingStores,
  beforeMs: number,
  blocksMax: number,
): Promise<number> {
  const blocks = await clickhouse.query<{ object_key: string }>(
    // The first condition says nothing new; it is the one that leaves whole months unread.
    `SELECT DISTINCT object_key FROM recording_chunks
     WHERE collector_time < fromUnixTimestamp64Milli({beforeMs:Int64})
       AND object_time < fromUnixTimestamp64Milli({beforeMs:Int64})
     ORDER BY object_key LIMIT {blocksMax:UInt32}`,
    { beforeMs, blocksMax },
  )
  const keys = blocks.map(({ object_key }) => object_key)
  for (const key of keys) await store.delete(bucket, key)
  if (keys.length > 0)
    await clickhouse.command(
      'ALTER TABLE recording_chunks DELETE WHERE object_key IN ({keys:Array(String)})',
      { keys },
      AT_ONCE,
    )
  return keys.length
}
