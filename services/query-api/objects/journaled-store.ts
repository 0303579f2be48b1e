import type { MetadataQueries } from '../../core/metadata/metadata.ts'
import type { ModifiedRow } from '../../core/metadata/metadata-tables.ts'
import { type Activity, noteActivity } from '../activity/activity-store.ts'
import type { ScopeObject } from '../http/scopes.ts'
import {
  createObjectStore,
  type ObjectStore,
  type ObjectTable,
  type OwnColumns,
  type Transactions,
  within,
} from './object-store.ts'

/** Rows that have a name and say who changed them last. */
type Named = ModifiedRow & { readonly name: string }

/** Whose changes a store makes. */
export interface Writer {
  /** Name of the key's holder. */
  readonly by: string
  /** Epoch ms of his call. */
  readonly atMs: number
}

/** A store of one writer: what he does is written down in the transaction that does it. */
export function createJournaledStore<R extends Named>(
  metadata: Transactions,
  kind: ObjectTable,
  object: ScopeObject,
  { by, atMs }: Writer,
): ObjectStore<R> {
  const plain = createObjectStore<R>(metadata, kind)

  function note(db: MetadataQueries, row: R, activity: Activity, fields: readonly string[]) {
    const { id: objectId, name } = row
    return noteActivity(db, row.dataset_id, { object, objectId, name, activity, fields, by, atMs })
  }

  return {
    list: plain.list,
    get: plain.get,
    create: (dataset, columns) =>
      metadata.transaction(async (inside) => {
        const own = { ...columns, last_modified_by: by } as OwnColumns<R>
        const row = await createObjectStore<R>(within(inside), kind).create(dataset, own, atMs, by)
        if (row !== null) await note(inside, row, 'created', Object.keys(columns))
        return row
      }),
    update: (dataset, id, change, _atMs, seenMs) =>
      metadata.transaction(async (inside) => {
        const own = { ...change, last_modified_by: by }
        const row = await createObjectStore<R>(within(inside), kind).update(dataset, id, own, atMs, seenMs)
        if (row === null) return null
        const { deleted, ...others } = change
        const activity = deleted === undefined ? 'updated' : deleted === 1 ? 'deleted' : 'restored'
        await note(inside, row, activity, Object.keys(others))
        return row
      }),
    remove: (dataset, id) =>
      metadata.transaction(async (inside) => {
        const store = createObjectStore<R>(within(inside), kind)
        const row = await store.get(dataset, id)
        if (row === null || !(await store.remove(dataset, id))) return false
        await note(inside, row, 'removed', [])
        return true
      }),
  }
}
