import { readFile, writeFile } from 'node:fs/promises'
import type { ObjectStore } from '../../services/core/object-store/object-store.ts'
import { DependencyError } from '../../services/core/runtime/errors.ts'

export interface StoredObject {
  bytes: Buffer
  metadata: Readonly<Record<string, string>>
}

export interface MemoryObjectStore extends ObjectStore {
  /** By bucket, then key; tests may change what lies there. */
  readonly buckets: Map<string, Map<string, StoredObject>>
  /** Called before every request with e.g. `put`, `b/key`; what it throws is what the request fails with. */
  onRequest: ((verb: string, name: string) => void) | null
  /** Called after every successful put, before it is answered: an error here is an applied write whose answer was lost. */
  afterPut: ((name: string) => void) | null
}

/** An object store in memory that keeps to the same contract as S3. Buckets must be created first, as there. */
export function createMemoryObjectStore(): MemoryObjectStore {
  const buckets = new Map<string, Map<string, StoredObject>>()
  const objects = (bucket: string) => {
    const found = buckets.get(bucket)
    if (!found) throw new DependencyError('s3', 'not_found', `There is no bucket ${bucket}.`)
    return found
  }
  const byKey = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))
  const store: MemoryObjectStore = {
    buckets,
    onRequest: null,
    afterPut: null,
    async putIfAbsent(bucket, key, body, options) {
      const bytes = 'bytes' in body ? Buffer.from(body.bytes) : await readFile(body.file)
      if ('length' in body && bytes.length !== body.length)
        throw new Error(`${body.file} has ${bytes.length} bytes, not ${body.length}`)
      store.onRequest?.('put', `${bucket}/${key}`)
      if (objects(bucket).has(key))
        throw new DependencyError('s3', 'precondition_failed', `${bucket}/${key} exists.`)
      objects(bucket).set(key, { bytes, metadata: { ...options.metadata } })
      store.afterPut?.(`${bucket}/${key}`)
    },
    async head(bucket, key) {
      store.onRequest?.('head', `${bucket}/${key}`)
      const found = objects(bucket).get(key)
      return found ? { length: found.bytes.length, metadata: found.metadata } : null
    },
    async get(bucket, key, range) {
      store.onRequest?.('get', `${bucket}/${key}`)
      const found = objects(bucket).get(key)
      if (!found) return null
      return Buffer.from(range ? found.bytes.subarray(range.start, range.end + 1) : found.bytes)
    },
    async download(bucket, key, path) {
      const bytes = await store.get(bucket, key)
      if (!bytes) return null
      await writeFile(path, bytes)
      return bytes.length
    },
    async *list(bucket, prefix, startAfter) {
      store.onRequest?.('list', `${bucket}/${prefix}`)
      const keys = [...objects(bucket).keys()].filter(
        (key) => key.startsWith(prefix) && (startAfter === undefined || byKey(key, startAfter) > 0),
      )
      for (const key of keys.sort(byKey)) yield { key, length: objects(bucket).get(key)?.bytes.length ?? 0 }
    },
    async delete(bucket, key) {
      store.onRequest?.('delete', `${bucket}/${key}`)
      objects(bucket).delete(key)
    },
    async createBucket(bucket) {
      store.onRequest?.('create', bucket)
      if (!buckets.has(bucket)) buckets.set(bucket, new Map())
    },
    close() {},
  }
  return store
}
