import type { IdentityEvent, IdentityRecord, PersonCommand } from '../../../schemas/identity-record/v1.ts'
import { isNameable } from '../persons/distinct-id-rules.ts'
import type { DistinctId, KnownPersons } from '../persons/person.ts'
import type { IdentityStore, StoredDataset } from '../store/identity-store.ts'

/**
 * Reads all that records of one dataset may concern, and no more: the ids and persons they name; where persons may go
 * into others or fall apart, all ids of those; where ids may become names of persons, whoever
 * has those names.
 *
 * @param dataset as it is stored; undefined for one that is new
 */
export async function loadKnownPersons(
  store: IdentityStore,
  datasetId: string,
  dataset: StoredDataset | undefined,
  records: readonly IdentityRecord[],
): Promise<KnownPersons> {
  const events = records.filter((record) => record.kind === 'event')
  const calls = records.filter((record) => record.kind === 'command')
  const commands = calls.map(({ command }) => command)
  const ids = new Set(events.flatMap(idsOf))
  const groupKeys = new Set(
    events.flatMap(({ group }) => (group && isNameable(group.key) ? [group.key] : [])),
  )
  const [found, groups, done] = await Promise.all([
    store.distinctIds(datasetId, [...ids]),
    store.groups(datasetId, [...groupKeys]),
    store.commands(
      datasetId,
      calls.map(({ event_id }) => event_id),
    ),
  ])
  const distinctIds = new Map(found.map((distinctId) => [distinctId.id, distinctId]))

  const moving = movingPersons(events, commands, distinctIds)
  const keys = new Set([
    ...ids,
    ...commands.flatMap(keysOf),
    ...found.flatMap(({ personKey }) => personKey ?? []),
  ])
  const belonging = Map.groupBy(
    await store.distinctIdsOf(datasetId, [...moving]),
    ({ personKey }) => personKey,
  )
  const asksForNames = commands.some(({ name }) => name === 'split' || name === 'delete')
  for (const distinctId of [...belonging.values()].flat()) {
    distinctIds.set(distinctId.id, distinctId)
    if (asksForNames) keys.add(distinctId.id)
  }
  const stored = await store.persons(datasetId, [...keys])
  const persons = new Map(stored.map((person) => [person.key, person]))

  return {
    head: { version: dataset?.version ?? 0, changedAt: dataset?.changedAt ?? 0 },
    groupTypes: dataset?.groupTypes ?? [],
    person: (key) => persons.get(key) ?? absent(keys.has(key), 'person', key),
    distinctId: (id) => distinctIds.get(id) ?? absent(ids.has(id), 'distinct id', id),
    distinctIdsOf: (key) =>
      belonging.get(key) ?? absent(moving.has(key) || !persons.has(key), 'person’s ids', key) ?? [],
    group: (typeIndex, key) =>
      groups.find((group) => group.typeIndex === typeIndex && group.key === key) ??
      absent(groupKeys.has(key), 'group', key),
    hasCommand: (id) => done.has(id),
  }
}

/** Not to have looked is not to know that it is not there. */
function absent(wasAsked: boolean, what: string, name: string): null {
  if (!wasAsked) throw new Error(`The ${what} ${JSON.stringify(name)} was not loaded.`)
  return null
}

function idsOf({ distinct_id, merge }: IdentityEvent): string[] {
  return [distinct_id, ...(merge ? [merge.other_id] : [])].filter(isNameable)
}

function keysOf(command: PersonCommand): string[] {
  return command.name === 'merge' ? [command.person_key, command.other_person_key] : [command.person_key]
}

/** Commands that leave a person's ids alone. */
const IN_PLACE: ReadonlySet<PersonCommand['name']> = new Set(['set', 'replace', 'unset'])

/** Persons whose ids may go to another person in these records, in whatever order. */
function movingPersons(
  events: readonly IdentityEvent[],
  commands: readonly PersonCommand[],
  distinctIds: ReadonlyMap<string, DistinctId>,
): ReadonlySet<string> {
  const moving = new Set(commands.filter(({ name }) => !IN_PLACE.has(name)).flatMap(keysOf))
  const mayFallApart = commands.some(({ name }) => name === 'split')
  for (const event of events) {
    if (!event.merge) continue
    const keys = idsOf(event).map((id) => distinctIds.get(id)?.personKey ?? null)
    // Said again and again of ids that belong together long since, which is what most identify events are.
    if (!mayFallApart && keys.length === 2 && keys[0] === keys[1]) continue
    for (const key of keys) if (key !== null) moving.add(key)
  }
  return moving
}
