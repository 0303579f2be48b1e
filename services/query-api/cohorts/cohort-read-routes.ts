import { Type } from '@sinclair/typebox'
import type { CohortCalculationRow, CohortRow } from '../../core/metadata/metadata-tables.ts'
import { invalidInput, notFound } from '../http/api-error.ts'
import { type ListPages, resultPages } from '../http/list-files.ts'
import { listAnswer, listOf, pageParameters, readPage } from '../http/list-page.ts'
import { textDeclared } from '../http/parameter-declarations.ts'
import { refuseUnknown, textParameter } from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import type { ActorRow } from '../insights/people.ts'
import { existingObject } from '../objects/object-routes.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import { CALCULATION_LIMITS, type CalculationStore } from './calculation-store.ts'
import { cohortFamily } from './cohort-family.ts'
import { cohortHistory, cohortPeople, cohortsOfPerson } from './cohort-people.ts'
import { personOfDistinctId, personOfId } from './current-person.ts'

const PERSON_EXAMPLE = {
  type: 'person',
  id: '1f0e5c7a-9f1e-5d0a-8f43-6a2f1f6b7c11',
  uuid: '1f0e5c7a-9f1e-5d0a-8f43-6a2f1f6b7c11',
  name: 'ann@example.com',
  distinct_ids: ['user-1'],
  properties: { email: 'ann@example.com' },
  properties_as_of: 'now',
  created_at: '2026-11-02T10:00:00.000Z',
}
const CALCULATION_EXAMPLE = {
  calculation: 7,
  begun_at: '2026-11-28T09:00:00.000Z',
  ended_at: '2026-11-28T09:00:02.000Z',
  count: 1_234,
  entered: 12,
  left: 3,
  error: null,
}
const WholeOrNull = Type.Union([Type.Integer(), Type.Null()])
const Calculation = Type.Object({
  calculation: Type.Integer(),
  begun_at: Type.String(),
  ended_at: Type.String(),
  count: WholeOrNull,
  entered: WholeOrNull,
  left: WholeOrNull,
  error: Type.Union([Type.String(), Type.Null()], { description: 'Null for one that finished.' }),
})

const PAGES = { default: 100, max: 1_000 }
const PEOPLE_PAGES = resultPages(['id', 'name', 'distinct_ids', 'properties', 'created_at'])
const HISTORY_PAGES: ListPages = {
  ...resultPages(['calculation', 'changed_at', 'change', 'id', 'name', 'distinct_ids']),
  flat: ({ person, ...change }) => ({ ...(person as ActorRow), ...change }),
}

/** What is known of cohorts: who is in them, since when, and how it was calculated. */
export function cohortReadRoutes(
  { ask }: Pick<InsightNeeds, 'ask'>,
  cohorts: Pick<ObjectStore<CohortRow>, 'get'>,
  calculations: CalculationStore,
): DatasetRoute[] {
  async function personKey({ query, question }: DatasetCall): Promise<string | null> {
    const [id, distinctId] = [textParameter(query, 'person_id'), textParameter(query, 'distinct_id')]
    if (id !== null && distinctId !== null)
      throw invalidInput('distinct_id', 'Name the person by person_id or by distinct_id.')
    if (distinctId !== null) return personOfDistinctId(ask, question, distinctId)
    if (id === null) return null
    const key = await personOfId(ask, question, id)
    if (key === null) throw notFound()
    return key
  }

  const path = `${DATASET_PATH}/cohorts/:id`
  const params = { dataset: 'shop', id: '1' }
  const list = { params, answer: { count: 1, next: null, previous: null } }
  const common = { about: 'dataset', method: 'GET', tag: 'cohorts' } as const
  const readPeople = {
    ...common,
    access: { object: 'person', action: 'read' },
    limit: 'persons',
  } as const
  const whoParameters = {
    person_id: textDeclared('The person, by the id that lists of people have.'),
    distinct_id: textDeclared('The person, by one of its distinct ids.'),
  }
  return [
    {
      ...readPeople,
      path: `${path}/persons`,
      summary: 'Who is in it by the last finished calculation, as persons are now.',
      parameters: pageParameters(PAGES),
      success: { status: 200, description: 'A page of people.', schema: listOf(Type.Unknown()) },
      example: { ...list, answer: { ...list.answer, results: [PERSON_EXAMPLE] } },
      pages: PEOPLE_PAGES,
      async answer(call) {
        refuseUnknown(call.query, Object.keys(pageParameters(PAGES)))
        const page = readPage(call.query, PAGES)
        const row = await existingObject(cohorts, call)
        const { people, count } = await cohortPeople(ask, call.question, row, page)
        return listAnswer(people, count, page, call.url)
      },
    },
    {
      ...readPeople,
      path: `${path}/history`,
      summary: 'Who came into it and who left it, the latest first.',
      parameters: { ...whoParameters, ...pageParameters(PAGES) },
      success: { status: 200, description: 'A page of changes.', schema: listOf(Type.Unknown()) },
      pages: HISTORY_PAGES,
      example: {
        ...list,
        answer: {
          ...list.answer,
          results: [
            {
              calculation: 7,
              changed_at: '2026-11-28T09:00:02.000Z',
              change: 'entered',
              person: PERSON_EXAMPLE,
            },
          ],
        },
      },
      async answer(call) {
        refuseUnknown(call.query, [...Object.keys(whoParameters), 'limit', 'offset'])
        const page = readPage(call.query, PAGES)
        const row = await existingObject(cohorts, call)
        const all = { limit: CALCULATION_LIMITS.remembered, offset: 0 }
        const ended = await calculations.list(row.dataset_id, row.id, all)
        const held = ended.rows.filter(({ error }) => error === null).map(({ calculation }) => calculation)
        const person = await personKey(call)
        const found = await cohortHistory(ask, call.question, row, held, person, page)
        return listAnswer(found.changes, found.count, page, call.url)
      },
    },
    {
      ...common,
      access: { object: 'cohort', action: 'read' },
      limit: 'default',
      path: `${path}/calculations`,
      summary: 'Its calculations that ended, the latest first.',
      parameters: pageParameters(PAGES),
      success: { status: 200, description: 'A page of them.', schema: listOf(Calculation) },
      example: { ...list, answer: { ...list.answer, results: [CALCULATION_EXAMPLE] } },
      async answer(call) {
        refuseUnknown(call.query, ['limit', 'offset'])
        const page = readPage(call.query, PAGES)
        const { dataset_id: dataset, id } = await existingObject(cohorts, call)
        const { rows, count } = await calculations.list(dataset, id, page)
        return listAnswer(rows.map(presentCalculation), count, page, call.url)
      },
    },
    {
      ...common,
      tag: 'persons',
      access: { object: 'cohort', action: 'read' },
      limit: 'persons',
      path: `${DATASET_PATH}/persons/cohorts`,
      summary: 'The cohorts that a person is in.',
      parameters: whoParameters,
      success: {
        status: 200,
        description: 'All of them.',
        schema: Type.Object({ results: Type.Array(cohortFamily.view) }),
      },
      example: {
        params: { dataset: 'shop' },
        query: { distinct_id: 'user-1' },
        answer: { results: [cohortFamily.example.view] },
      },
      async answer(call) {
        refuseUnknown(call.query, Object.keys(whoParameters))
        const person = await personKey(call)
        if (person === null)
          throw invalidInput('person_id', 'Name the person by person_id or by distinct_id.', 'required')
        const rows = (await calculations.all(call.question.dataset.id)).filter((row) => row.calculation > 0)
        const mine = await cohortsOfPerson(ask, call.question, person, rows)
        return { body: { results: rows.filter(({ id }) => mine.has(id)).map(cohortFamily.present) } }
      },
    },
  ]
}

function presentCalculation(row: CohortCalculationRow) {
  return {
    calculation: row.calculation,
    begun_at: new Date(row.begun_at).toISOString(),
    ended_at: new Date(row.ended_at).toISOString(),
    count: row.members,
    entered: row.entered,
    left: row.left_it,
    error: row.error,
  }
}
