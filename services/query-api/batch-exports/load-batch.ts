import { createHash } from 'node:crypto'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import type { Manifest } from '../../../schemas/manifest/v1.ts'
import type { ObjectStore } from '../../core/object-store/object-store.ts'
import { DependencyError } from '../../core/runtime/errors.ts'
import type { DestinationTable } from './destination-table.ts'

/** Of one file, decompressed. A batch is closed long before; one event may be large. */
const FILE_BYTES_MAX = 256 * 1024 * 1024
const decompressed = promisify(gunzip)

/**
 * Loads what a manifest names into a table, unless it is there.
 *
 * @param key of the manifest
 * @returns events that came; 0 where they were there
 * @throws DependencyError of the `destination`; of `s3`, also when a file is not the one that the manifest names
 */
export async function loadBatch(
  table: DestinationTable,
  store: Pick<ObjectStore, 'get'>,
  key: string,
  { delivery, bucket, source, receipt, objects }: Manifest,
): Promise<number> {
  // A batch of nothing has nothing to note: its manifest says it.
  if (receipt.delivered === 0) return 0
  const rows: string[] = []
  for (const object of objects) {
    const bytes = await store.get(bucket, object.key)
    const sha256 = bytes === null ? null : createHash('sha256').update(bytes).digest('hex')
    if (bytes === null || sha256 !== object.sha256)
      throw new DependencyError(
        's3',
        'corrupt',
        `The file ${object.key} is ${bytes === null ? 'gone' : 'not the one that its manifest names'}.`,
      )
    const text = (await decompressed(bytes, { maxOutputLength: FILE_BYTES_MAX })).toString()
    for (const row of text.split('\n')) if (row !== '') rows.push(row)
  }
  return (await table.load({ delivery, source, manifest: key }, rows)) ? rows.length : 0
}
