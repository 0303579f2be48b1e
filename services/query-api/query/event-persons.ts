import type { JsonObject } from '../../../schemas/field.ts'
import { personIdOf } from '../../core/event/person-id.ts'
import type { Ask } from './ask.ts'
import type { Question } from './question.ts'

/** A person as it is now, beside an event. */
export interface EventPerson {
  readonly id: string
  readonly is_identified: boolean
  readonly properties: JsonObject
  /** ISO 8601; null for a person that only events tell of. */
  readonly created_at: string | null
}

/** The persons of these keys. One that is not stored has no properties yet. */
export async function eventPersons(
  ask: Ask,
  question: Question,
  keys: readonly string[],
): Promise<ReadonlyMap<string, EventPerson>> {
  const dataset = question.dataset.id
  const wanted = [...new Set(keys)].filter((key) => key !== '')
  const empty = (key: string): EventPerson => ({
    id: personIdOf(dataset, key),
    is_identified: false,
    properties: {},
    created_at: null,
  })
  const found = new Map(wanted.map((key) => [key, empty(key)]))
  if (wanted.length === 0) return found
  const rows = await ask<{
    person_key: string
    state: string
    identified: number | boolean
    created_ms: string | number
  }>(
    question,
    (bindings) =>
      'SELECT person_key, argMax(properties, version) AS state, argMax(is_identified, version) AS identified, ' +
      'toUnixTimestamp64Milli(argMax(created_at, version)) AS created_ms FROM persons ' +
      `WHERE dataset_id = ${bindings.bind(dataset, 'String')} AND person_key IN (${bindings.bind(wanted, 'Array(String)')}) ` +
      'GROUP BY person_key HAVING argMax(is_deleted, version) = 0',
  )
  for (const { person_key: key, state, identified, created_ms: createdMs } of rows)
    found.set(key, {
      ...empty(key),
      is_identified: Boolean(identified),
      properties: state === '' ? {} : (JSON.parse(state) as JsonObject),
      created_at: new Date(Number(createdMs)).toISOString(),
    })
  return found
}
