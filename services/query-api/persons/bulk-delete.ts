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
    delete_recordings: Type.Optional(
      Type.Boolean({ description: 'Whether their recordings are deleted too.' }),
    ),
    keep_person: Type.Optional(
      Type.Boolean({ description: 'With delete_events or delete_recordings: these alone are deleted.' }),
    ),
  },
  { additionalProperties: false },
)

/** What a deletion tells of recordings. */
export const RECORDINGS_DELETED = {
  recordings_deleted: Type.Optional(
    Type.Integer({ description: 'Where they were to be: nobody is shown them any more.' }),
  ),
}

export const BULK_DELETE_SCHEMA = Type.Composite([
  ACCEPTED_SCHEMA,
  Type.Object({
    persons_found: Type.Integer(),
    not_found: Type.Array(Type.String(), { description: 'Of what was asked for, as it was sent.' }),
    ...RECORDINGS_DELETED,
  }),
])

export const BULK_DELETE_EXAMPLE = {
  body: { distinct_ids: ['user-7', 'nobody'], delete_events: true, delete_recordings: true },
  answer: {
    success: true,
    persons_found: 1,
    not_found: ['nobody'],
    recordings_deleted: 3,
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
  /** Keys of those who were found. */
  readonly persons: readonly string[]
  readonly notFound: readonly string[]
  readonly withRecordings: boolean
}> {
  const asked = readBody(BULK_DELETE_BODY, body)
  const { ids = [], distinct_ids = [], delete_events, delete_recordings, keep_person } = asked
  const named = ids.length + distinct_ids.length
  if (named === 0) throw invalidInput('ids', 'Name persons by ids or by distinct_ids.', 'required')
  if (named > BULK_DELETE_MAX)
    throw invalidInput('ids', `There may be at most ${BULK_DELETE_MAX} of these.`, 'max_length')
  if (keep_person && !delete_events && !delete_recordings)
    throw invalidInput('keep_person', 'Without delete_events and delete_recordings nothing would be deleted.')
  const byUuid = await keysByUuid(ask, question, ids.filter(isUuid))
  const byDistinctId = await keysByDistinctId(ask, question, distinct_ids)
  const keys = [
    ...ids.map((id) => byUuid.get(id.toLowerCase())),
    ...distinct_ids.map((id) => byDistinctId.get(id)),
  ]
  const persons = [...new Set(keys)].filter((key) => key !== undefined)
  return {
    commands: persons.flatMap((person_key) =>
      commandsOf(person_key, delete_events ?? false, keep_person ?? false),
    ),
    persons,
    notFound: [...ids, ...distinct_ids].filter((_, index) => keys[index] === undefined),
    withRecordings: delete_recordings ?? false,
  }
}

function commandsOf(person_key: string, withEvents: boolean, keepPerson: boolean): PersonCommand[] {
  if (keepPerson) return withEvents ? [{ name: 'delete_events', person_key }] : []
  return [{ name: 'delete', person_key, ...(withEvents ? { delete_events: true } : {}) }]
}
