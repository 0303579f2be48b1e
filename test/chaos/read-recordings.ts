import { gunzipSync } from 'node:zlib'
import type { DemoConnections } from '../../services/cli/demo/demo-connections.ts'
import type { ChunkRow } from './compare-recordings.ts'
import { eachLine, objectBytes } from './read-places.ts'

const ROWS = `SELECT src_partition, src_offset, dataset_id, event_id, object_key, object_from, object_bytes
  FROM recording_chunks ORDER BY object_key, object_from FORMAT JSONCompactEachRow`

type Stored = readonly [string, string, string, string, string, string, string]

/** Every row of `recording_chunks`, without FINAL, and its line out of the object that it names. */
export async function readRecordings(
  connections: DemoConnections,
  onProgress: (rows: number) => void,
): Promise<readonly ChunkRow[]> {
  const stored: Stored[] = []
  await eachLine(connections, ROWS, (line) => void stored.push(JSON.parse(line)))
  const rows: ChunkRow[] = []
  let key = ''
  let object = Buffer.alloc(0) as Buffer
  for (const [partition, offset, dataset, eventId, objectKey, from, bytes] of stored) {
    if (objectKey !== key) {
      key = objectKey
      // One that is not there is told of each of its rows.
      object = await objectBytes(connections.bucket, key).catch(() => Buffer.alloc(0))
      onProgress(rows.length)
    }
    const member = object.subarray(Number(from), Number(from) + Number(bytes))
    rows.push({
      partition: Number(partition),
      offset: Number(offset),
      dataset,
      eventId,
      line: lineOf(member),
    })
  }
  return rows
}

function lineOf(member: Buffer): string | null {
  try {
    return gunzipSync(member).toString()
  } catch {
    return null
  }
}
