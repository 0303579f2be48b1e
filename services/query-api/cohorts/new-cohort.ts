import { type Static, Type } from '@sinclair/typebox'
import { invalidInput } from '../http/api-error.ts'
import { choiceSchema } from '../http/choice-schema.ts'
import { readBody } from '../http/read-body.ts'
import type { DatasetCall } from '../http/route.ts'
import { Upload } from '../http/upload.ts'
import { retentionBeginners } from '../insights/activity-people.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import { PEOPLE } from '../insights/people-kinds.ts'
import { textsOf } from '../insights/posted-parameters.ts'
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

/** What POST takes. */
export const NewCohort = Type.Object(
  { ...CohortFields.properties, query: Type.Optional(PeopleQuery) },
  { additionalProperties: false },
)

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
  const { query, ...fields } = readBody(NewCohort, call.body)
  if (query === undefined) return { fields, fill: fields.is_static === true ? NOBODY : null }
  if (fields.is_static === false)
    throw invalidInput('is_static', 'The people of an insight make a static cohort.')
  const fill = await filledWithPeople(query, call.question, insights, calculation)
  return { fields: { ...fields, is_static: true }, fill }
}

/** Fields of a form, or parameters of the address beside a plain file, which has none. */
function uploadedFields({ fields }: Upload, { query }: DatasetCall): Static<typeof CohortFields> {
  const { is_static: isStatic = 'true', ...others } = { ...query, ...fields }
  if (isStatic !== 'true') throw invalidInput('is_static', 'A file of distinct ids makes a static cohort.')
  const { personal_api_key: _, ...given } = others as Readonly<Record<string, unknown>>
  return { ...readBody(CohortFields, given), is_static: true }
}

async function filledWithPeople(
  { people, parameters }: Static<typeof PeopleQuery>,
  question: Question,
  insights: InsightNeeds,
  calculation: CalculationNeeds,
): Promise<Fill> {
  const behind = people === 'retention' ? retentionBeginners : PEOPLE[people].behind
  const { sql, groupTypeIndex } = await behind(insights, question, textsOf(parameters))
  if (groupTypeIndex !== null) throw invalidInput('query', 'Groups are behind this number, and no persons.')
  return filledFrom(calculation, (bindings) => `SELECT actor AS person FROM (${sql(bindings)})`)
}
