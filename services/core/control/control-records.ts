import { CONTROL_SCHEMAS, type ControlKind } from '../../../schemas/control/v1.ts'
import type { ProduceRecord } from '../kafka/log.ts'
import { canonicalHash, canonicalJson } from './canonical-json.ts'
import { type AnyControlRecord, controlKey } from './control-state.ts'

/**
 * How `millrace.control` is written. Three sorts of keys:
 *
 *     object/<kind>/<id>        the object in force, or a tombstone
 *     pin/<kind>/<id>/<hash>    the same object, never changed nor removed: plans name it by its hash
 *     sentinel                  ends a publication; nothing of it applies before
 *
 * Keys (access keys) are not pinned: no plan depends on one, and a revoked one should not be kept.
 */
export type ControlEntry =
  | { readonly sort: 'object'; readonly key: string; readonly record: AnyControlRecord | null }
  | { readonly sort: 'pin'; readonly record: AnyControlRecord }
  | { readonly sort: 'sentinel' }
  /** Written by a later version, for kinds that this one does not know. */
  | { readonly sort: 'unknown' }
  | { readonly sort: 'unreadable'; readonly key: string; readonly reason: string }

export const SENTINEL_KEY = 'sentinel'

export function objectKey(kind: ControlKind, id: string): string {
  return `object/${controlKey(kind, id)}`
}

/** Every record that puts one object into force. */
export function objectRecords(topic: string, record: AnyControlRecord): readonly ProduceRecord[] {
  const value = Buffer.from(canonicalJson(record))
  const own = { topic, partition: 0, key: objectKey(record.kind, record.id), value }
  if (record.kind === 'key') return [own]
  return [{ ...own, key: `pin/${controlKey(record.kind, record.id)}/${record.hash}` }, own]
}

export function tombstone(topic: string, kind: ControlKind, id: string): ProduceRecord {
  return { topic, partition: 0, key: objectKey(kind, id), value: null }
}

/** @param publishedAt epoch milliseconds, for people */
export function sentinelRecord(topic: string, publishedAt: number): ProduceRecord {
  const value = Buffer.from(canonicalJson({ v: 1, published_at: new Date(publishedAt).toISOString() }))
  return { topic, partition: 0, key: SENTINEL_KEY, value }
}

export function readControlEntry(keyBytes: Uint8Array | null, value: Uint8Array | null): ControlEntry {
  const key = keyBytes === null ? '' : Buffer.from(keyBytes).toString()
  if (key === SENTINEL_KEY) return { sort: 'sentinel' }
  const [sort, kind] = key.split('/', 2)
  if ((sort !== 'object' && sort !== 'pin') || !isControlKind(kind)) return { sort: 'unknown' }
  if (value === null) return sort === 'object' ? { sort, key, record: null } : { sort: 'unknown' }
  const record = readRecord(value)
  if (typeof record === 'string') return { sort: 'unreadable', key, reason: record }
  if (record.v !== 1) return { sort: 'unreadable', key, reason: `its version ${record.v} is not known` }
  if (canonicalHash(record.object) !== record.hash)
    return { sort: 'unreadable', key, reason: 'its hash does not match its content' }
  const expected =
    sort === 'object'
      ? objectKey(record.kind, record.id)
      : `pin/${controlKey(record.kind, record.id)}/${record.hash}`
  if (expected !== key)
    return { sort: 'unreadable', key, reason: 'it stands under the key of another object' }
  return sort === 'object' ? { sort, key, record } : { sort, record }
}

/** @returns a sentence's end where the bytes are no record at all */
function readRecord(value: Uint8Array): AnyControlRecord | string {
  try {
    const record: unknown = JSON.parse(Buffer.from(value).toString())
    if (typeof record !== 'object' || record === null || !('object' in record)) return 'it is not an object'
    return record as AnyControlRecord
  } catch (error) {
    return `it is not JSON (${(error as Error).message})`
  }
}

function isControlKind(text: string | undefined): text is ControlKind {
  return text !== undefined && Object.hasOwn(CONTROL_SCHEMAS, text)
}
