import { type Static, type TSchema, Type } from '@sinclair/typebox'
import type { PersonCommand } from '../../../schemas/identity-record/v1.ts'
import { invalidInput } from '../http/api-error.ts'
import { checkScope } from '../http/authorize.ts'
import { flagDeclared, type ParameterDeclarations } from '../http/parameter-declarations.ts'
import { readBody } from '../http/read-body.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetCall, type DatasetRoute, pathParameter } from '../http/route.ts'
import { flagParameter } from '../insights/insight-request.ts'
import { type DeletionNeeds, deleteRecordingsOf } from '../recordings/delete-recordings-of.ts'
import {
  BULK_DELETE_BODY,
  BULK_DELETE_EXAMPLE,
  BULK_DELETE_SCHEMA,
  bulkDelete,
  RECORDINGS_DELETED,
} from './bulk-delete.ts'
import { findPerson, keysByDistinctId, lookUpPersons } from './find-persons.ts'
import { EXAMPLE_PERSON } from './person-examples.ts'
import { RESET_BODY, RESET_EXAMPLE, RESET_SCHEMA, resetDistinctId } from './reset-distinct-id.ts'
import { ACCEPTED_SCHEMA, type CommandNeeds, IDEMPOTENCY_PARAMETER, sendCommands } from './send-commands.ts'

/** Persons that one call merges into another. */
const MERGED_MAX = 100
const NAME_LENGTH_MAX = 400

const closed = { additionalProperties: false }
const Properties = Type.Record(Type.String(), Type.Unknown())
const PropertyName = Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX })
const PROPERTIES_BODY = Type.Object({ properties: Properties }, closed)
const UPDATE_BODY = Type.Object({ key: PropertyName, value: Type.Unknown() }, closed)
const UNSET_BODY = Type.Object(
  { $unset: Type.Union([PropertyName, Type.Array(PropertyName, { minItems: 1, maxItems: 100 })]) },
  closed,
)
const SPLIT_BODY = Type.Object(
  {
    main_distinct_id: Type.Optional(
      Type.Union([Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX }), Type.Null()]),
    ),
  },
  closed,
)
const MERGE_BODY = Type.Object(
  {
    ids: Type.Array(Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX }), {
      minItems: 1,
      maxItems: MERGED_MAX,
    }),
  },
  closed,
)

interface CommandDeclaration<B extends TSchema> {
  readonly method: 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** Below the person's own path. */
  readonly path: string
  readonly summary: string
  readonly parameters?: ParameterDeclarations
  readonly body?: B
  readonly example: { readonly command: PersonCommand['name']; readonly body?: unknown }
  /** What the answer tells beside the commands, by the schema of each. */
  readonly told?: Readonly<Record<string, TSchema>>
  /**
   * What is done before the commands are sent, and may be done again with them. @returns what the answer tells of it
   *
   * @throws ApiError 400, 403
   */
  before?(key: string, call: DatasetCall): Promise<object>
  /** @throws ApiError 400 */
  commands(key: string, body: Static<B>, call: DatasetCall): Promise<PersonCommand[]> | PersonCommand[]
}

/**
 * Changes of persons. Each is a command in the log of the identity stage, which applies it in its turn: 202 says that it
 * is durably there, and no more.
 */
export function personCommandRoutes(needs: CommandNeeds & DeletionNeeds): DatasetRoute[] {
  const { ask } = needs
  const common = {
    about: 'dataset',
    tag: 'persons',
    access: { object: 'person', action: 'write' },
    limit: 'persons',
  } as const

  /** The rows of a person name its recordings, and commands end it: recordings go first, so that a call may be repeated. */
  async function withoutRecordings(call: DatasetCall, keys: readonly string[]) {
    checkScope(call.principal, { object: 'session_recording', action: 'write' })
    return { recordings_deleted: await deleteRecordingsOf(needs, call, keys) }
  }

  function route<B extends TSchema>(declared: CommandDeclaration<B>): DatasetRoute {
    const { method, summary, body, example, told } = declared
    const parameters = { ...declared.parameters, ...IDEMPOTENCY_PARAMETER }
    return {
      ...common,
      method,
      path: `${DATASET_PATH}/persons/:id${declared.path}`,
      summary,
      parameters,
      ...(body === undefined ? {} : { body }),
      success: {
        status: 202,
        description: 'It is in the log and will be applied.',
        schema: told === undefined ? ACCEPTED_SCHEMA : Type.Composite([ACCEPTED_SCHEMA, Type.Object(told)]),
      },
      example: {
        params: { dataset: 'shop', id: EXAMPLE_PERSON.id },
        ...(example.body === undefined ? {} : { body: example.body }),
        answer: {
          success: true,
          commands: [
            { command_id: EXAMPLE_COMMAND_ID, command: example.command, person_id: EXAMPLE_PERSON.id },
          ],
        },
      },
      async answer(call) {
        refuseUnknown(call.query, Object.keys(parameters))
        const read = body === undefined ? undefined : readBody(body, call.body ?? {})
        const key = await findPerson(ask, call.question, pathParameter(call, 'id'))
        const commands = await declared.commands(key, read as Static<B>, call)
        const done = (await declared.before?.(key, call)) ?? {}
        const accepted = await sendCommands(needs, call, commands)
        return { status: 202, body: { success: true, ...done, commands: accepted } }
      },
    }
  }

  return [
    route({
      method: 'PATCH',
      path: '',
      summary: 'Sets properties of a person and leaves the others.',
      body: PROPERTIES_BODY,
      example: { command: 'set', body: { properties: { plan: 'pro' } } },
      commands(person_key, { properties }) {
        if (Object.keys(properties).length === 0)
          throw invalidInput('properties', 'Name the properties to set.', 'required')
        return [{ name: 'set', person_key, properties }]
      },
    }),
    route({
      method: 'PUT',
      path: '',
      summary: 'Replaces the properties of a person whole: one that is left out is removed.',
      body: PROPERTIES_BODY,
      example: { command: 'replace', body: { properties: { email: 'ada@example.com' } } },
      commands: (person_key, { properties }) => [{ name: 'replace', person_key, properties }],
    }),
    route({
      method: 'POST',
      path: '/update_property',
      summary: 'Sets one property of a person.',
      body: UPDATE_BODY,
      example: { command: 'set', body: { key: 'plan', value: 'pro' } },
      commands: (person_key, { key, value }) => [{ name: 'set', person_key, properties: { [key]: value } }],
    }),
    route({
      method: 'POST',
      path: '/delete_property',
      summary: 'Removes properties of a person.',
      body: UNSET_BODY,
      example: { command: 'unset', body: { $unset: 'plan' } },
      commands: (person_key, { $unset }) => [{ name: 'unset', person_key, keys: [$unset].flat() }],
    }),
    route({
      method: 'POST',
      path: '/split',
      summary: 'Makes every distinct id of a person but one a person of its own.',
      body: SPLIT_BODY,
      example: { command: 'split', body: { main_distinct_id: 'user-2' } },
      async commands(person_key, { main_distinct_id = null }, { question }) {
        if (main_distinct_id !== null) {
          const owners = await keysByDistinctId(ask, question, [main_distinct_id])
          if (owners.get(main_distinct_id) !== person_key)
            throw invalidInput('main_distinct_id', 'The person has no such distinct id.')
        }
        return [{ name: 'split', person_key, main_distinct_id }]
      },
    }),
    route({
      method: 'POST',
      path: '/merge',
      summary: 'Merges other persons into this one, also those that are identified.',
      body: MERGE_BODY,
      example: { command: 'merge', body: { ids: ['anon-1'] } },
      async commands(person_key, { ids }, { question }) {
        const found = await lookUpPersons(ask, question, ids)
        const missing = ids.findIndex((id) => !found.has(id))
        if (missing >= 0) throw invalidInput(`ids__${missing}`, 'There is no such person.')
        const others = new Set(found.values())
        others.delete(person_key)
        if (others.size === 0) throw invalidInput('ids', 'These are the person itself.')
        return [...others].map((other_person_key) => ({ name: 'merge', person_key, other_person_key }))
      },
    }),
    route({
      method: 'DELETE',
      path: '',
      summary: 'Removes a person for good, with its events and recordings if that is said.',
      parameters: {
        delete_events: flagDeclared('Whether its events are deleted too.'),
        delete_recordings: flagDeclared('Whether its recordings are deleted too.'),
      },
      told: RECORDINGS_DELETED,
      example: { command: 'delete' },
      before: async (key, call) =>
        flagParameter(call.query, 'delete_recordings') ? withoutRecordings(call, [key]) : {},
      commands: (person_key, _body, { query }) => [
        {
          name: 'delete',
          person_key,
          ...(flagParameter(query, 'delete_events') ? { delete_events: true } : {}),
        },
      ],
    }),
    {
      ...common,
      method: 'POST',
      path: `${DATASET_PATH}/persons/bulk_delete`,
      summary: 'Removes many persons for good, or their events and recordings alone.',
      parameters: IDEMPOTENCY_PARAMETER,
      body: BULK_DELETE_BODY,
      success: {
        status: 202,
        description: 'What is in the log and will be applied, and who was not found.',
        schema: BULK_DELETE_SCHEMA,
      },
      example: { params: { dataset: 'shop' }, ...BULK_DELETE_EXAMPLE },
      async answer(call) {
        refuseUnknown(call.query, Object.keys(IDEMPOTENCY_PARAMETER))
        const read = await bulkDelete(ask, call.question, call.body)
        const { commands, notFound, persons } = read
        const done = read.withRecordings ? await withoutRecordings(call, persons) : {}
        const accepted = commands.length === 0 ? [] : await sendCommands(needs, call, commands)
        return {
          status: 202,
          body: {
            success: true,
            persons_found: persons.length,
            not_found: notFound,
            ...done,
            commands: accepted,
          },
        }
      },
    },
    {
      ...common,
      method: 'POST',
      path: `${DATASET_PATH}/persons/reset_person_distinct_id`,
      summary:
        'Says whether a distinct id can be used again; the deletion of its person has released it already.',
      body: RESET_BODY,
      success: { status: 202, description: 'What it is; nothing was to be done.', schema: RESET_SCHEMA },
      example: { params: { dataset: 'shop' }, ...RESET_EXAMPLE },
      answer: async (call) => ({
        status: 202,
        body: await resetDistinctId(ask, call.question, call.body),
      }),
    },
  ]
}

const EXAMPLE_COMMAND_ID = '6f1d1c0a-1d2b-8c3d-9e4f-5a6b7c8d9e0f'
