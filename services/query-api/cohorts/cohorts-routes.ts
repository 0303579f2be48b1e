import { type Static, Type } from '@sinclair/typebox'
import type { CohortRow } from '../../core/metadata/metadata-tables.ts'
import { invalidInput } from '../http/api-error.ts'
import { textDeclared } from '../http/parameter-declarations.ts'
import { readBody } from '../http/read-body.ts'
import { DATASET_PATH, type DatasetCall, type DatasetRoute } from '../http/route.ts'
import { Upload } from '../http/upload.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import { existingObject, objectRoutes, tooMany } from '../objects/object-routes.ts'
import type { ObjectStore, OwnColumns } from '../objects/object-store.ts'
import type { CalculationJob } from './calculation-job.ts'
import { type CohortFields, cohortFamily, UNCALCULATED } from './cohort-family.ts'
import { cohortReadRoutes } from './cohort-read-routes.ts'
import { checkedIds, distinctIdsOf } from './listed-ids.ts'
import { NewCohort, readNewCohort } from './new-cohort.ts'
import {
  fillCohort,
  filledAs,
  filledFurther,
  fillNewCohort,
  type StaticCohortNeeds,
} from './static-cohorts.ts'

const NAME_LENGTH_MAX = 400
/** Distinct ids of one JSON body at most; a file may have more. */
const LISTED_MAX = 10_000

const More = Type.Object(
  { distinct_ids: Type.Array(Type.String(), { maxItems: LISTED_MAX }) },
  { additionalProperties: false },
)
const Copy = Type.Object(
  { name: Type.Optional(Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX })) },
  { additionalProperties: false },
)
const FILE_EXAMPLE = 'distinct_id\nuser-1\nuser-2\n'

export interface CohortRoutesNeeds {
  readonly insights: InsightNeeds
  /** Checked: see `checkedCohorts`. */
  readonly cohorts: ObjectStore<CohortRow>
  readonly statics: StaticCohortNeeds
  readonly job: Pick<CalculationJob, 'wake'>
}

export function cohortRoutes({ insights, cohorts, statics, job }: CohortRoutesNeeds): DatasetRoute[] {
  const { clock } = insights
  const { view, present, example } = cohortFamily
  const existing = (call: DatasetCall) => existingObject(cohorts, call)

  async function make(call: DatasetCall, fields: Static<typeof CohortFields>): Promise<CohortRow> {
    const columns = { ...UNCALCULATED, ...cohortFamily.columnsOf({ ...cohortFamily.absent, ...fields }) }
    const { dataset } = call.question
    const row = await cohorts.create(
      dataset.id,
      columns as OwnColumns<CohortRow>,
      clock.now(),
      call.principal.name,
    )
    if (row === null) throw tooMany('cohorts')
    return row
  }

  const path = `${DATASET_PATH}/cohorts`
  const params = { dataset: 'shop', id: '1' }
  const write = {
    about: 'dataset',
    tag: 'cohorts',
    access: { object: 'cohort', action: 'write' },
    limit: 'clickhouse',
    method: 'POST',
  } as const
  const made = { status: 201, description: 'As it was made.', schema: view } as const
  const copyRoute = (
    what: 'duplicate' | 'duplicate_as_static_cohort',
    summary: string,
    copy: (call: DatasetCall, row: CohortRow, name: string | undefined) => Promise<CohortRow>,
  ): DatasetRoute => ({
    ...write,
    path: `${path}/:id/${what}`,
    summary,
    body: Copy,
    success: made,
    example: { params, body: { name: 'A copy' }, answer: example.view },
    async answer(call) {
      const { name } = readBody(Copy, call.body ?? {})
      return { status: 201, body: present(await copy(call, await existing(call), name)) }
    },
  })

  const creation: DatasetRoute = {
    ...write,
    path,
    summary:
      'Makes one of the cohorts: of criteria, of a CSV file of distinct ids, or of the people of an insight.',
    parameters: {
      name: textDeclared('With a plain CSV file: its name.'),
      description: textDeclared('With a plain CSV file: what it is.'),
    },
    body: NewCohort,
    uploads: true,
    success: made,
    example: {
      params: { dataset: 'shop' },
      body: example.fields,
      upload: { csv: FILE_EXAMPLE, fields: { name: 'Guests' } },
      answer: example.view,
    },
    async answer(call) {
      const { fields, fill } = await readNewCohort(call, insights, statics)
      const row = await make(call, fields)
      if (fill !== null)
        return { status: 201, body: present(await fillNewCohort(statics, call.question, row, fill)) }
      job.wake()
      return { status: 201, body: present(row) }
    },
  }

  const basic = objectRoutes(cohortFamily, cohorts, clock).map((route): DatasetRoute => {
    if (route.method === 'POST') return creation
    if (route.method === 'GET' || route.method === 'DELETE') return route
    return {
      ...route,
      async answer(call) {
        const answer = await route.answer(call)
        job.wake()
        return answer
      },
    }
  })
  return [
    ...basic,
    {
      ...write,
      path: `${path}/:id/persons`,
      summary: 'Adds people to a static cohort: distinct ids as JSON or as a CSV file.',
      body: More,
      uploads: true,
      success: { status: 200, description: 'As it is now.', schema: view },
      example: {
        params,
        body: { distinct_ids: ['user-1', 'user-2'] },
        upload: { csv: FILE_EXAMPLE },
        answer: example.view,
      },
      async answer(call) {
        const ids =
          call.body instanceof Upload
            ? distinctIdsOf(call.body.csv)
            : checkedIds(readBody(More, call.body).distinct_ids, 'distinct_ids')
        const { id, is_static: isStatic } = await existing(call)
        if (isStatic === 0) throw invalidInput('id', 'The members of a dynamic cohort are calculated.')
        const row = await fillCohort(statics, call.question, id, (begun) =>
          filledFurther(statics, begun, ids),
        )
        return { body: present(row) }
      },
    },
    {
      ...write,
      limit: 'default',
      path: `${path}/:id/calculate`,
      summary: 'Asks for its members to be calculated at once, also after too many errors.',
      success: { status: 202, description: 'It is calculated next.', schema: view },
      example: { params, answer: { ...(example.view as object), is_calculating: true } },
      async answer(call) {
        const { id, is_static: isStatic } = await existing(call)
        if (isStatic === 1) throw invalidInput('id', 'The members of a static cohort are not calculated.')
        const row = await statics.calculations.ask(call.question.dataset.id, id)
        job.wake()
        return { status: 202, body: present(row ?? (await existing(call))) }
      },
    },
    copyRoute(
      'duplicate',
      'Makes another one of the same criteria, or of the same members.',
      async (call, row, name) => {
        const { description, filters, is_static } = row
        const fields = { name: name ?? copyName(row, ' (copy)'), description }
        if (is_static === 1) {
          const fill = filledAs(statics, row)
          return fillNewCohort(statics, call.question, await make(call, { ...fields, is_static: true }), fill)
        }
        const copy = await make(call, { ...fields, filters: JSON.parse(filters) })
        job.wake()
        return copy
      },
    ),
    copyRoute(
      'duplicate_as_static_cohort',
      'Makes a static one of those who are in it now.',
      async (call, row, name) => {
        const fill = filledAs(statics, row)
        const fields = { name: name ?? copyName(row, ' (static copy)'), description: row.description }
        const copy = await make(call, { ...fields, is_static: true })
        return fillNewCohort(statics, call.question, copy, fill)
      },
    ),
    ...cohortReadRoutes(insights, cohorts, statics.calculations),
  ]
}

function copyName({ name }: CohortRow, suffix: string): string {
  return name.slice(0, NAME_LENGTH_MAX - suffix.length) + suffix
}
