import type { ObjectStore } from '../core/object-store/object-store.ts'
import { putOnce } from '../core/object-store/put-once.ts'
import { DependencyError } from '../core/runtime/errors.ts'
import type { WrittenFile } from './disk.ts'

/** An object as it is stored, whoever stored it. */
export interface StoredFile extends WrittenFile {
  readonly rowDigest: string
  readonly encoder: string
}

/**
 * Writes one data object of a plan, or takes the one that an earlier try of the same plan wrote: the same rows by
 * their digest, even when another encoder version gave them other bytes. What is returned describes what is stored.
 *
 * @throws DependencyError `corrupt` when the key holds other rows
 */
export async function putRows(
  store: ObjectStore,
  bucket: string,
  key: string,
  file: string,
  contentType: string,
  rows: number,
  written: StoredFile,
): Promise<StoredFile> {
  const metadata = {
    rows: String(rows),
    'row-digest': written.rowDigest,
    sha256: written.sha256,
    encoder: written.encoder,
  }
  const body = { file, length: written.bytes }
  if (await putOnce(store, bucket, key, body, { contentType, metadata })) return written
  const found = await store.head(bucket, key)
  if (found === null)
    throw new DependencyError('s3', 'unavailable', `${bucket}/${key} is said to exist, but is not there.`)
  const stored = found.metadata
  if (stored.rows !== metadata.rows || stored['row-digest'] !== metadata['row-digest'])
    throw new DependencyError(
      's3',
      'corrupt',
      `${bucket}/${key} exists with ${stored.rows ?? 'an unknown number of'} rows (${stored['row-digest']}); this batch has ${rows} (${written.rowDigest}).`,
    )
  return {
    bytes: found.length,
    sha256: stored.sha256 ?? '',
    rowDigest: written.rowDigest,
    encoder: stored.encoder ?? '',
  }
}
