import { personIdOf } from '../../services/core/event/person-id.ts'

/** Rows of `persons` and `person_distinct_ids` as the identity stage tells them. */
export function personRow(
  key: string,
  given: {
    readonly dataset?: string
    readonly created?: string
    readonly properties?: object
    readonly identified?: boolean
    readonly deleted?: boolean
    readonly version?: number
  } = {},
) {
  const dataset = given.dataset ?? 'shop'
  return {
    dataset_id: dataset,
    person_key: key,
    person_id: personIdOf(dataset, key),
    created_at: given.created ?? '2026-11-01T00:00:00.000Z',
    is_identified: given.identified ?? false,
    properties: JSON.stringify(given.properties ?? {}),
    is_deleted: given.deleted ?? false,
    version: given.version ?? 1,
  }
}

export function idRow(id: string, key: string, version = 1, dataset = 'shop', deleted = false) {
  return { dataset_id: dataset, distinct_id: id, person_key: key, is_deleted: deleted, version }
}
