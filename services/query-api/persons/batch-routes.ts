import { Type } from '@sinclair/typebox'
import { jsonDeclared } from '../http/parameter-declarations.ts'
import { readBody } from '../http/read-body.ts'
import { type RawQuery, refuseUnknown } from '../http/request-parameters.ts'
import type { DatasetRoute } from '../http/route.ts'
import { jsonList } from '../insights/entity-request.ts'
import { type QuestionDeclaration, questionRoutes } from '../insights/question-routes.ts'
import type { Ask } from '../query/ask.ts'
import type { Question } from '../query/question.ts'
import { isUuid, keysByDistinctId, keysByUuid } from './find-persons.ts'
import { EXAMPLE_PERSON } from './person-examples.ts'
import { getPersons, type PersonView } from './person-list.ts'

/** Names of one call. */
export const BATCH_MAX = 200
const NAME_LENGTH_MAX = 400

const Names = Type.Array(Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX }), {
  minItems: 1,
  maxItems: BATCH_MAX,
})

/** Keys of persons by what was asked for, each as it was sent. */
type KeysOf = (
  ask: Ask,
  question: Question,
  names: readonly string[],
) => Promise<readonly (readonly [string, string | undefined])[]>

/** Many persons in one call, by what names them; the body of POST has room for more than an address. */
export function batchRoutes({ ask }: { readonly ask: Ask }): DatasetRoute[] {
  const common = {
    tag: 'persons',
    access: { object: 'person', action: 'read' },
    limit: 'persons',
    description: 'Persons by what was asked for, as of now; who is not there is not among them.',
  } as const

  function route(name: 'distinct_ids' | 'uuids', summary: string, asked: string, keysOf: KeysOf) {
    const parameters = { [name]: jsonDeclared(`A list of 1 to ${BATCH_MAX} of them.`) }
    const declared: QuestionDeclaration = {
      ...common,
      path: `/persons/batch_by_${name}`,
      summary,
      parameters,
      example: { asked: { [name]: [asked] }, answer: { results: { [asked]: EXAMPLE_PERSON } } },
      async answer({ question }, query) {
        refuseUnknown(query, Object.keys(parameters))
        const keys = await keysOf(ask, question, namesOf(query, name))
        return { body: { results: await personsBy(ask, question, keys) } }
      },
    }
    return questionRoutes(declared)
  }

  return [
    ...route(
      'distinct_ids',
      'The persons that distinct ids belong to.',
      EXAMPLE_PERSON.distinct_ids[0] as string,
      async (ask, question, ids) => {
        const keys = await keysByDistinctId(ask, question, ids)
        return ids.map((id) => [id, keys.get(id)])
      },
    ),
    ...route('uuids', 'Persons by their ids.', EXAMPLE_PERSON.uuid, async (ask, question, uuids) => {
      const keys = await keysByUuid(ask, question, uuids.filter(isUuid))
      return uuids.map((uuid) => [uuid, keys.get(uuid.toLowerCase())])
    }),
  ]
}

/** @throws ApiError 400 for anything but a list of texts within bounds */
function namesOf(query: RawQuery, name: string): readonly string[] {
  const schema = Type.Object({ [name]: Names }, { additionalProperties: false })
  return readBody(schema, { [name]: jsonList(query, name) })[name] as string[]
}

/** Two names of one person have the same one. */
async function personsBy(
  ask: Ask,
  question: Question,
  named: readonly (readonly [string, string | undefined])[],
): Promise<Readonly<Record<string, PersonView>>> {
  const keys = [...new Set(named.flatMap(([, key]) => key ?? []))]
  const persons = await getPersons(ask, question, keys)
  return Object.fromEntries(
    named.flatMap(([name, key]) => {
      const person = key === undefined ? undefined : persons.get(key)
      return person === undefined ? [] : [[name, person]]
    }),
  )
}
