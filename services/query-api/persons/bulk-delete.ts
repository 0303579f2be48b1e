import { Type } from '@sinclair/typebox'
import type { PersonCommand } from '../../../schemas/identity-record/v1.ts'
import { invalidInput } from '../http/api-error.ts'
import { readBody } from '../http/read-body.ts'
import type { Ask } from '../query/ask.ts'
import type { Question } from '../query/question.ts'
import { isUuid, keysByDistinctId, keysByUuid } from './find-persons.ts'
import { ACCEPTED_SCHEMA } from './send-commands.ts'

/** Persons of one call. */
export const BULK_DELETE_MAX = 1_000
const NAME_LENGTH_MAX = 400

const Names = Type.Array(Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX }), {
  maxItems: BULK_DELETE_MAX,
})
export const BULK_DELETE_BODY = Type.Object(
  {
    ids: Type.Optional({ ...Names, description: 'Of persons.' }),
    distinct_ids: Type.Optional({ ...Names, description: 'Whom these belong to now.' }),
    delete_events: Type.Optional(Type.Boolean({ description: 'Whether their events are deleted too.' })),
    keep_person: Type.Optional(
      Type.Boolean({ description: 'With delete_events: the events alone are deleted.' }),
    ),
  },
  { additionalProperties: false },
)

export const BULK_DELETE_SCHEMA = Type.Composite([
  ACCEPTED_SCHEMA,
  Type.Object({
    persons_found: Type.Integer(),
    not_found: Type.Array(Type.String(), { description: 'Of what was asked for, as it was sent.' }),
  }),
])

export const BULK_DELETE_EXAMPLE = {
  body: { distinct_ids: ['user-7', 'nobody'], delete_events: true },
  answer: {
    success: true,
    persons_found: 1,
    not_found: ['nobody'],
    commands: [
      {
        command_id: '6f1d1c0a-1d2b-8c3d-9e4f-5a6b7c8d9e0f',
        command: 'delete',
        person_id: '77ab2c0e-9d0f-5a63-9a4e-1f5a3c7e2b41',
      },
    ],
  },
}

/**
 * Reads who is to be deleted. A person that is named twice is deleted once; one that is not found stands in no other's
 * way.
 *
 * @throws ApiError 400
 */
export async function bulkDelete(
  ask: Ask,
  question: Question,
  body: unknown,
): Promise<{
  readonly commands: readonly PersonCommand[]
  readonly found: number
  readonly notFound: readonly string[]
}> {
  const { ids = [], distinct_ids = [], delete_events, keep_person } = readBody(BULK_DELETE_BODY, body)
  const asked = ids.length + distinct_ids.length
  if (asked === 0) throw invalidInput('ids', 'Name persons by ids or by distinct_ids.', 'required')
  if (asked > BULK_DELETE_MAX)
    throw invalidInput('ids', `There may be at most ${BULK_DELETE_MAX} of these.`, 'max_length')
  if (keep_person && !delete_events)
    throw invalidInput('keep_person', 'Without delete_events nothing would be deleted.')
  const byUuid = await keysByUuid(ask, question, ids.filter(isUuid))
  const byDistinctId = await keysByDistinctId(ask, question, distinct_ids)
  const keys = [
    ...ids.map((id) => byUuid.get(id.toLowerCase())),
    ...distinct_ids.map((id) => byDistinctId.get(id)),
  ]
  const persons = [...new Set(keys)].filter((key) => key !== undefined)
  return {
    commands: persons.map((person_key) =>
      commandOf(person_key, delete_events ?? false, keep_person ?? false),
    ),
    found: persons.length,
    notFound: [...ids, ...distinct_ids].filter((_, index) => keys[index] === undefined),
  }
}

function commandOf(person_key: string, withEvents: boolean, keepPerson: boolean): PersonCommand {
  if (keepPerson) return { name: 'delete_events', person_key }
  return { name: 'delete', person_key, ...(withEvents ? { delete_events: true } : {}) }
}
