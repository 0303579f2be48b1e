import type { ObjectStore } from '../core/object-store/object-store.ts'
import { putOnce } from '../core/object-store/put-once.ts'
import { DependencyError } from '../core/runtime/errors.ts'
import type { Block } from './chunk-blocks.ts'

/** Objects that are written beside each other. */
const PARALLEL = 8

/**
 * Writes the blocks of a plan. One that an earlier try of the plan wrote is found under its name and must be the same.
 *
 * @throws DependencyError `corrupt` when something else lies there
 */
export async function putBlocks(
  store: Pick<ObjectStore, 'putIfAbsent' | 'head'>,
  bucket: string,
  blocks: readonly Block[],
): Promise<void> {
  let next = 0
  const work = async () => {
    for (let block = blocks[next++]; block !== undefined; block = blocks[next++])
      await putBlock(store, bucket, block)
  }
  await Promise.all(Array.from({ length: PARALLEL }, work))
}

async function putBlock(
  store: Pick<ObjectStore, 'putIfAbsent' | 'head'>,
  bucket: string,
  { key, body, sha256 }: Block,
): Promise<void> {
  const options = { contentType: 'application/gzip', metadata: { sha256 } }
  if (await putOnce(store, bucket, key, { bytes: body }, options)) return
  const found = await store.head(bucket, key)
  // It was deleted in between, with its session or for its age: the rows go the same way.
  if (found === null) return
  if (found.metadata.sha256 !== sha256)
    throw new DependencyError('s3', 'corrupt', `${bucket}/${key} exists and holds other chunks.`)
}
