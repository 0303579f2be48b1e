import type { PersonRecord } from '../../../schemas/person/v1.ts'
import { personIdOf } from '../../core/event/person-id.ts'
import type { DatasetChanges } from '../persons/dataset-state.ts'
import type { HistoryRow, Person } from '../persons/person.ts'
import type { OutboxTarget } from '../store/identity-store.ts'

/** A row to be told: its table, and its line of JSON. */
export interface TellableRow {
  readonly target: OutboxTarget
  readonly body: string
}

/**
 * What readers are told of the changes of one dataset: every line of history, and of each state the newest, whatever
 * lay between.
 *
 * @param since version of the dataset before: a state that is not newer was told before
 */
export function outboxRows(datasetId: string, changes: DatasetChanges, since: number): TellableRow[] {
  const rows: TellableRow[] = []
  const tell = (target: OutboxTarget, row: object) => {
    rows.push({ target, body: JSON.stringify({ ...row, dataset_id: datasetId }) })
  }
  for (const row of changes.history) tell('person_changes', historyRow(row))
  for (const { distinctId, personKey, validFrom, version } of changes.belongings)
    tell('person_override_changes', {
      distinct_id: distinctId,
      valid_from: iso(validFrom),
      version,
      person_key: personKey,
    })
  for (const { id, personKey, isOverridden, version } of changes.distinctIds.values()) {
    if (version <= since) continue
    const named = { distinct_id: id, person_key: personKey ?? '', version }
    tell('person_distinct_ids', { ...named, is_deleted: personKey === null })
    if (isOverridden && personKey !== null) tell('person_overrides', named)
  }
  for (const [key, person] of changes.persons)
    tell('persons', personRow(datasetId, key, person, changes.removed.get(key) ?? 0))
  for (const { typeIndex, key, createdAt, properties, version } of changes.groups)
    tell('groups', {
      group_type_index: typeIndex,
      group_key: key,
      created_at: iso(createdAt),
      properties,
      is_deleted: false,
      version,
    })
  for (const { type, index, version } of changes.newGroupTypes)
    tell('group_types', { group_type: type, group_type_index: index, version })
  for (const { distinctId, arrivedUntil, version } of changes.eventDeletions)
    tell('event_deletions', { distinct_id: distinctId, arrived_until: iso(arrivedUntil), version })
  for (const { personKeys, version } of changes.erasures)
    tell('erasures', { person_keys: personKeys, version })
  return rows
}

/** @param end version of the end of a person that is no more */
function personRow(datasetId: string, key: string, person: Person | null, end: number): PersonRecord {
  return {
    v: 1,
    dataset_id: datasetId,
    person_key: key,
    person_id: personIdOf(datasetId, key),
    created_at: iso(person?.createdAt ?? 0),
    is_identified: person?.isIdentified ?? false,
    properties: person?.properties ?? {},
    is_deleted: person === null,
    version: person?.version ?? end,
  }
}

function historyRow(row: HistoryRow): object {
  return {
    person_key: row.personKey,
    valid_from: iso(row.validFrom),
    version: row.version,
    change: row.change,
    reason: row.reason,
    event_id: row.eventId,
    distinct_id: row.distinctId,
    other_person_key: row.otherPersonKey,
    properties: row.properties,
    actor: row.actor,
  }
}

function iso(epochMs: number): string {
  return new Date(epochMs).toISOString()
}
