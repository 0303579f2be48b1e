import { type Static, type TSchema, Type } from '@sinclair/typebox'
import { invalidInput } from '../http/api-error.ts'
import { choiceSchema } from '../http/choice-schema.ts'
import { readBody } from '../http/read-body.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import type { DatasetCall } from '../http/route.ts'
import { Upload } from '../http/upload.ts'
import { retentionBeginners } from '../insights/activity-people.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import { PEOPLE } from '../insights/people-kinds.ts'
import { textsOf } from '../insights/posted-parameters.ts'
import { ACTOR_SOURCES, type AskedActors, readActors } from '../kinds/actors-query.ts'
import type { Node } from '../kinds/query-nodes.ts'
import type { Question } from '../query/question.ts'
import type { CalculationNeeds, Fill } from './calculate-cohort.ts'
import { filledFrom } from './calculate-cohort.ts'
import { CohortFields } from './cohort-family.ts'
import { distinctIdsOf } from './listed-ids.ts'
import { filledWith, NOBODY } from './static-cohorts.ts'

const KINDS = [...(Object.keys(PEOPLE) as (keyof typeof PEOPLE)[]), 'retention'] as const

const PeopleQuery = Type.Object(
  {
    people: choiceSchema(KINDS, {
      description: 'The last part of the path of the people: `persons/<people>`.',
    }),
    parameters: Type.Record(Type.String(), Type.Unknown(), { description: 'Its parameters.' }),
  },
  {
    additionalProperties: false,
    description: 'Makes a static cohort of all the people behind a number of an insight.',
  },
)

const ActorsNode = Type.Object(
  { kind: choiceSchema(['ActorsQuery', ...ACTOR_SOURCES]) },
  {
    additionalProperties: true,
    description: 'The same, as POST query takes it: an ActorsQuery with a source, or a source alone.',
  },
)

const withQuery = <T extends TSchema>(query: T) =>
  Type.Object({ ...CohortFields.properties, query: Type.Optional(query) }, { additionalProperties: false })
/** By one of its two ways to say whose members it is to have, so that a fault is told of the one that was meant. */
const CohortOfPeople = withQuery(PeopleQuery)
const CohortOfActors = withQuery(ActorsNode)

/** What POST takes. */
export const NewCohort = withQuery(Type.Union([PeopleQuery, ActorsNode]))

export interface CohortToMake {
  readonly fields: Static<typeof CohortFields>
  /** How a static one gets its members; null for a dynamic one. */
  readonly fill: Fill | null
}

/**
 * What somebody wants to be made: criteria, a file of distinct ids, the people behind a number, or a cohort of nobody
 * yet.
 *
 * @throws ApiError 400
 */
export async function readNewCohort(
  call: DatasetCall,
  insights: InsightNeeds,
  calculation: CalculationNeeds,
): Promise<CohortToMake> {
  if (call.body instanceof Upload) {
    const fields = uploadedFields(call.body, call)
    return { fields, fill: filledWith(calculation, distinctIdsOf(call.body.csv)) }
  }
  refuseUnknown(call.query, [])
  const { query, ...fields } = hasKind(call.body)
    ? readBody(CohortOfActors, call.body)
    : readBody(CohortOfPeople, call.body)
  if (query === undefined) return { fields, fill: fields.is_static === true ? NOBODY : null }
  if (fields.is_static === false)
    throw invalidInput('is_static', 'The people of an insight make a static cohort.')
  const asked = 'people' in query ? peopleAsked(query as Static<typeof PeopleQuery>) : actorsAsked(query)
  const fill = await filledWithPeople(asked, call.question, insights, calculation)
  return { fields: { ...fields, is_static: true }, fill }
}

/** Fields of a form, or parameters of the address beside a plain file, which has none. */
function uploadedFields({ fields }: Upload, { query }: DatasetCall): Static<typeof CohortFields> {
  const { is_static: isStatic = 'true', ...others } = { ...query, ...fields }
  if (isStatic !== 'true') throw invalidInput('is_static', 'A file of distinct ids makes a static cohort.')
  const { personal_api_key: _, ...given } = others as Readonly<Record<string, unknown>>
  return { ...readBody(CohortFields, given), is_static: true }
}

function hasKind(body: unknown): boolean {
  const { query } = (body ?? {}) as { readonly query?: unknown }
  return typeof query === 'object' && query !== null && 'kind' in query
}

function peopleAsked({ people, parameters }: Static<typeof PeopleQuery>): AskedActors {
  return { kind: people, parameters: textsOf(parameters) }
}

function actorsAsked(query: Node): AskedActors {
  for (const member of ['limit', 'offset'])
    if (query[member] !== undefined && query[member] !== null)
      throw invalidInput(`query__${member}`, `A cohort has all of them: leave ${member} out.`)
  return readActors(query)
}

async function filledWithPeople(
  { kind, parameters }: AskedActors,
  question: Question,
  insights: InsightNeeds,
  calculation: CalculationNeeds,
): Promise<Fill> {
  const behind = kind === 'retention' ? retentionBeginners : PEOPLE[kind].behind
  const { sql, groupTypeIndex } = await behind(insights, question, parameters)
  if (groupTypeIndex !== null) throw invalidInput('query', 'Groups are behind this number, and no persons.')
  return filledFrom(calculation, (bindings) => `SELECT actor AS person FROM (${sql(bindings)})`)
}
