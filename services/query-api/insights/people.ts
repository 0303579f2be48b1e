import { personIdOf } from '../../core/event/person-id.ts'
import type { Ask } from '../query/ask.ts'
import type { Bindings } from '../query/bindings.ts'
import { newestGroupsSql } from '../query/group-rows.ts'
import { ownedIds } from '../query/owned-ids.ts'
import { personName } from '../query/person-name.ts'
import type { Question } from '../query/question.ts'
import type { PeoplePage } from './people-request.ts'

/** Somebody behind a number. */
export interface PersonRow {
  readonly type: 'person'
  readonly id: string
  readonly uuid: string
  readonly name: string
  readonly distinct_ids: readonly string[]
  readonly properties: Readonly<Record<string, unknown>>
  /** When they were so: at the time of the answer, whatever time it is about. */
  readonly properties_as_of: 'now'
  /** Null for a person that only events tell of. */
  readonly created_at: string | null
  /** What this person adds to the number. */
  readonly value_at_data_point: number
}

export interface GroupRow {
  readonly type: 'group'
  readonly id: string
  readonly group_key: string
  readonly group_type_index: number
  readonly properties: Readonly<Record<string, unknown>>
  /** When they were so: at the time of the answer, whatever time it is about. */
  readonly properties_as_of: 'now'
  readonly created_at: string | null
  readonly value_at_data_point: number
}

export interface People {
  readonly people: readonly (PersonRow | GroupRow)[]
  /** Everybody behind the number, on all pages. */
  readonly count: number
  /** What all of them add up to. */
  readonly value: number
  /** What events of nobody add. */
  readonly missing: number
  readonly isLast: boolean
}

/** A SELECT of `actor`, each once, empty for nobody, and `amount`, what it adds to the number. */
export type PeopleSql = (bindings: Bindings) => string

/** Those who add up to a number, the ones that add most first. */
export async function peopleOf(
  ask: Ask,
  question: Question,
  sql: PeopleSql,
  page: PeoplePage,
  groupTypeIndex: number | null,
): Promise<People> {
  const [totals] = await ask<{ actors: number | string; value: number | string; missing: number | string }>(
    question,
    (bindings) =>
      "SELECT countIf(actor != '') AS actors, sumIf(amount, actor != '') AS value, " +
      `sumIf(amount, actor = '') AS missing FROM (${sql(bindings)})`,
  )
  const actors = await ask<{ actor: string; amount: number | string }>(
    question,
    (bindings) =>
      `SELECT actor, amount FROM (${sql(bindings)}) WHERE actor != '' ORDER BY amount DESC, actor ASC ` +
      `LIMIT ${bindings.bind(page.limit, 'UInt64')} OFFSET ${bindings.bind(page.offset, 'UInt64')}`,
  )
  const count = Number(totals?.actors ?? 0)
  const rows = await actorRows(
    ask,
    question,
    actors.map(({ actor }) => actor),
    groupTypeIndex,
  )
  return {
    people: rows.map((row, index) => ({ ...row, value_at_data_point: Number(actors[index]!.amount) })),
    count,
    value: Number(totals?.value ?? 0),
    missing: Number(totals?.missing ?? 0),
    isLast: page.offset + actors.length >= count,
  }
}

/** Keys of one statement: they travel in the address of a request to ClickHouse, which has a limit of a megabyte. */
const KEYS_MAX = 1_000

/** Somebody, apart from any number. */
export type ActorRow = Omit<PersonRow, 'value_at_data_point'> | Omit<GroupRow, 'value_at_data_point'>

/** Who actors are, in the same order. One that nothing but events tells of has its key as its only distinct id. */
export async function actorRows(
  ask: Ask,
  question: Question,
  keys: readonly string[],
  groupTypeIndex: number | null,
): Promise<ActorRow[]> {
  const rows: ActorRow[] = []
  for (let at = 0; at < keys.length; at += KEYS_MAX) {
    const some = keys.slice(at, at + KEYS_MAX)
    rows.push(
      ...(groupTypeIndex === null
        ? await personRows(ask, question, some)
        : await groupRows(ask, question, some, groupTypeIndex)),
    )
  }
  return rows
}

async function personRows(ask: Ask, question: Question, keys: readonly string[]): Promise<ActorRow[]> {
  const dataset = question.dataset.id
  const persons = await ask<{ key: string; properties: string; created_ms: number | string }>(
    question,
    (bindings) =>
      'SELECT person_key AS key, argMax(persons.properties, version) AS properties, ' +
      'toUnixTimestamp64Milli(argMax(created_at, version)) AS created_ms FROM persons ' +
      `WHERE dataset_id = ${bindings.bind(dataset, 'String')} ` +
      `AND person_key IN (${bindings.bind(keys, 'Array(String)')}) ` +
      'GROUP BY person_key HAVING argMax(is_deleted, version) = 0',
  )
  const owned = await ownedIds(ask, question, keys)
  const known = new Map(persons.map((person) => [person.key, person]))
  return keys.map((key) => {
    const person = known.get(key)
    const distinctIds = owned.get(key)?.ids ?? [key]
    const properties = parsed(person?.properties)
    const uuid = personIdOf(dataset, key)
    return {
      type: 'person',
      id: uuid,
      uuid,
      name: personName(properties, distinctIds),
      distinct_ids: distinctIds,
      properties,
      properties_as_of: 'now',
      created_at: person === undefined ? null : new Date(Number(person.created_ms)).toISOString(),
    }
  })
}

async function groupRows(
  ask: Ask,
  question: Question,
  keys: readonly string[],
  index: number,
): Promise<ActorRow[]> {
  const groups = await ask<{ newest_key: string; newest_properties: string; created_ms: number | string }>(
    question,
    (bindings) =>
      'SELECT newest_key, newest_properties, toUnixTimestamp64Milli(newest_created_at) AS created_ms ' +
      `FROM (${newestGroupsSql(question.dataset.id, index, bindings)}) ` +
      `WHERE newest_key IN (${bindings.bind(keys, 'Array(String)')})`,
  )
  const known = new Map(groups.map((group) => [group.newest_key, group]))
  return keys.map((key) => {
    const group = known.get(key)
    return {
      type: 'group',
      id: key,
      group_key: key,
      group_type_index: index,
      properties: parsed(group?.newest_properties),
      properties_as_of: 'now',
      created_at: group === undefined ? null : new Date(Number(group.created_ms)).toISOString(),
    }
  })
}

function parsed(json: string | undefined): Readonly<Record<string, unknown>> {
  return json === undefined || json === '' ? {} : (JSON.parse(json) as Record<string, unknown>)
}
