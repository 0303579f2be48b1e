import { Readable } from 'node:stream'
import type { ObjectStore } from '../../core/object-store/object-store.ts'
import { DependencyError } from '../../core/runtime/errors.ts'
import type { ExportContent } from './export-content.ts'

/** Bytes of an object that are fetched at once. */
const RANGE_BYTES = 4 * 1024 * 1024

/**
 * Files in a bucket, for processes on any number of machines. An object is sent whole, so each is written to the
 * directory first.
 *
 * @param spool a directory of this machine
 * @param fileOf where a file of the spool lies
 */
export function bucketContent(
  store: ObjectStore,
  bucket: string,
  spool: ExportContent,
  fileOf: (key: string) => string,
): ExportContent {
  async function* ranges(key: string, length: number): AsyncGenerator<Buffer> {
    for (let start = 0; start < length; start += RANGE_BYTES) {
      const end = Math.min(start + RANGE_BYTES, length) - 1
      const bytes = await store.get(bucket, key, { start, end })
      if (bytes === null || bytes.length !== end - start + 1)
        throw new DependencyError('s3', 'not_found', `${bucket}/${key} is not there any more.`)
      yield bytes
    }
  }
  return {
    async write(key, mediaType, pieces) {
      const length = await spool.write(key, mediaType, pieces)
      try {
        // Objects are never overwritten; one of this key is of the same attempt, whose answer was lost.
        await store.delete(bucket, key)
        await store.putIfAbsent(bucket, key, { file: fileOf(key), length }, { contentType: mediaType })
      } finally {
        await spool.remove(key)
      }
      return length
    },
    async open(key) {
      const head = await store.head(bucket, key)
      if (head === null) return null
      return { length: head.length, body: Readable.from(ranges(key, head.length), { objectMode: false }) }
    },
    remove: (key) => store.delete(bucket, key),
  }
}
