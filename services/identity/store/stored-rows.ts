import type { JsonObject } from '../../../schemas/field.ts'
import { parseExactly } from '../../core/event/exact-numbers.ts'
import type { DistinctId, Group, Person } from '../persons/person.ts'
import type { DistinctIdRow, GroupRow, PersonRow } from './identity-tables.ts'

/** Rows of the state, as the tables have them and as the rules read them. */

export function personRow(datasetId: string, person: Person): PersonRow {
  return {
    dataset_id: datasetId,
    person_key: person.key,
    created_at: person.createdAt,
    is_identified: Number(person.isIdentified),
    properties: JSON.stringify(person.properties),
    distinct_ids: person.distinctIds,
    version: person.version,
  }
}

export function readPerson(row: PersonRow): Person {
  return {
    key: row.person_key,
    createdAt: row.created_at,
    isIdentified: row.is_identified === 1,
    properties: readProperties(row.properties),
    distinctIds: row.distinct_ids,
    version: row.version,
  }
}

export function distinctIdRow(datasetId: string, distinctId: DistinctId): DistinctIdRow {
  return {
    dataset_id: datasetId,
    distinct_id: distinctId.id,
    person_key: distinctId.personKey,
    seen: distinctId.seen,
    initials: distinctId.initials,
    is_overridden: Number(distinctId.isOverridden),
    deleted_at: distinctId.deletedAt,
    version: distinctId.version,
  }
}

export function readDistinctId(row: DistinctIdRow): DistinctId {
  return {
    id: row.distinct_id,
    personKey: row.person_key,
    seen: row.seen,
    initials: row.initials,
    isOverridden: row.is_overridden === 1,
    deletedAt: row.deleted_at,
    version: row.version,
  }
}

export function groupRow(datasetId: string, group: Group): GroupRow {
  return {
    dataset_id: datasetId,
    group_type_index: group.typeIndex,
    group_key: group.key,
    created_at: group.createdAt,
    properties: JSON.stringify(group.properties),
    version: group.version,
  }
}

export function readGroup(row: GroupRow): Group {
  return {
    typeIndex: row.group_type_index,
    key: row.group_key,
    createdAt: row.created_at,
    properties: readProperties(row.properties),
    version: row.version,
  }
}

/** We wrote it ourselves: what cannot be read is a bug of ours. */
function readProperties(json: string): JsonObject {
  return parseExactly(Buffer.from(json)) as JsonObject
}
