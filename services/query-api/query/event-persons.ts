import type { JsonObject } from '../../../schemas/field.ts'
import { personIdOf } from '../../core/event/person-id.ts'
import type { Ask } from './ask.ts'
import { overridesSql } from './person-rows.ts'
import type { Question } from './question.ts'

/** A person as it is now, beside an event. */
export interface EventPerson {
  readonly id: string
  readonly is_identified: boolean
  readonly properties: JsonObject
  /** When they were so: at the time of the answer, whatever time it is about. */
  readonly properties_as_of: 'now'
  /** ISO 8601; null for a person that only events tell of. */
  readonly created_at: string | null
}

/** A row of the statement: a person as it is, or, with an `override_id`, a distinct id that was moved to a person. */
interface PersonRow {
  readonly override_id: string
  readonly person_key: string
  readonly state: string
  readonly identified: number | boolean
  readonly created_ms: string | number
}

/**
 * The persons that distinct ids belong to now, by distinct id; one that is not stored has no properties yet.
 *
 * @param distinctIds null and empty for events of nobody, who is not among the answers
 */
export async function eventPersons(
  ask: Ask,
  question: Question,
  distinctIds: readonly (string | null)[],
): Promise<ReadonlyMap<string, EventPerson>> {
  const dataset = question.dataset.id
  const wanted = [...new Set(distinctIds)].filter((id) => id !== null && id !== '') as string[]
  if (wanted.length === 0) return new Map()
  const rows = await ask<PersonRow>(question, (bindings) => {
    const ids = `SELECT arrayJoin(${bindings.bind(wanted, 'Array(String)')})`
    const moved = overridesSql(dataset, bindings, ids)
    return (
      "SELECT '' AS override_id, person_key, argMax(properties, version) AS state, " +
      'argMax(is_identified, version) AS identified, ' +
      'toUnixTimestamp64Milli(argMax(created_at, version)) AS created_ms FROM persons ' +
      `WHERE dataset_id = ${bindings.bind(dataset, 'String')} ` +
      `AND person_key IN (${ids} UNION ALL SELECT override_key FROM (${moved})) ` +
      'GROUP BY person_key HAVING argMax(is_deleted, version) = 0 ' +
      `UNION ALL SELECT override_id, override_key, '', false, 0 FROM (${moved})`
    )
  })
  const keys = new Map<string, string>()
  const stored = new Map<string, PersonRow>()
  for (const row of rows) {
    if (row.override_id) keys.set(row.override_id, row.person_key)
    else stored.set(row.person_key, row)
  }
  return new Map(
    wanted.map((id) => {
      const key = keys.get(id) ?? id
      return [id, eventPerson(personIdOf(dataset, key), stored.get(key))]
    }),
  )
}

function eventPerson(id: string, row: PersonRow | undefined): EventPerson {
  if (row === undefined)
    return { id, is_identified: false, properties: {}, properties_as_of: 'now', created_at: null }
  return {
    id,
    is_identified: Boolean(row.identified),
    properties: row.state === '' ? {} : (JSON.parse(row.state) as JsonObject),
    properties_as_of: 'now',
    created_at: new Date(Number(row.created_ms)).toISOString(),
  }
}
