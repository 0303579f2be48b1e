import { isDependencyError } from '../runtime/errors.ts'
import type { ObjectBody, ObjectStore, PutOptions } from './object-store.ts'

/** Writes an object unless its key exists. @returns false when it does */
export async function putOnce(
  store: Pick<ObjectStore, 'putIfAbsent'>,
  bucket: string,
  key: string,
  body: ObjectBody,
  options: PutOptions,
): Promise<boolean> {
  try {
    await store.putIfAbsent(bucket, key, body, options)
    return true
  } catch (error) {
    if (isDependencyError(error) && error.code === 'precondition_failed') return false
    throw error
  }
}
