import type { CohortRow } from '../../core/metadata/metadata-tables.ts'
import { ApiError, notFound } from '../http/api-error.ts'
import type { ObjectStore } from '../objects/object-store.ts'
import type { Question } from '../query/question.ts'
import { type CalculationNeeds, type Fill, filledFrom, writeMembers } from './calculate-cohort.ts'
import { cohortDefinition } from './cohort-definition.ts'
import { membersOfSet } from './cohort-members.ts'

export interface StaticCohortNeeds extends CalculationNeeds {
  readonly cohorts: Pick<ObjectStore<CohortRow>, 'get' | 'remove'>
}

/** Nobody is in it. */
export const NOBODY: Fill = async () => {}

/** Those of a list, whether they have been seen or not. */
export function filledWith(
  { insertListed }: Pick<CalculationNeeds, 'insertListed'>,
  ids: readonly string[],
): Fill {
  return async (_, set) => {
    if (ids.length > 0) await insertListed(set, ids)
  }
}

/** Whoever is in another cohort at this moment. @throws ApiError 400 for one that was not calculated yet */
export function filledAs(needs: Pick<CalculationNeeds, 'tell'>, other: CohortRow): Fill {
  return filledFrom(needs, cohortDefinition(other).members)
}

/** Whoever is in it already, and those of a list. */
export function filledFurther(needs: CalculationNeeds, begun: CohortRow, ids: readonly string[]): Fill {
  const { dataset_id: dataset, id: cohort, calculation } = begun
  return async (question, set) => {
    await filledFrom(needs, membersOfSet({ dataset, cohort, calculation }))(question, set)
    await filledWith(needs, ids)(question, set)
  }
}

/**
 * Gives a static cohort its members, all at once.
 *
 * @returns the cohort as it is then
 * @throws ApiError 409 while somebody else does
 */
export async function fillCohort(
  needs: StaticCohortNeeds,
  question: Question,
  id: number,
  fillOf: (begun: CohortRow) => Fill,
): Promise<CohortRow> {
  const dataset = question.dataset.id
  const begun = await needs.calculations.begin(dataset, id, needs.clock.now())
  if (begun === null) throw busy()
  try {
    if (!(await writeMembers(needs, question, begun, fillOf(begun)))) throw busy()
  } catch (error) {
    await needs.calculations.fail(begun, null, needs.clock.now())
    throw error
  }
  const row = await needs.cohorts.get(dataset, id)
  if (row === null) throw notFound()
  return row
}

/** Like {@link fillCohort}, of a cohort that was made for it and is gone again where that fails. */
export async function fillNewCohort(
  needs: StaticCohortNeeds,
  question: Question,
  made: CohortRow,
  fill: Fill,
): Promise<CohortRow> {
  try {
    return await fillCohort(needs, question, made.id, () => fill)
  } catch (error) {
    await needs.cohorts.remove(made.dataset_id, made.id)
    throw error
  }
}

function busy(): ApiError {
  return new ApiError(409, {
    type: 'invalid_request',
    code: 'conflict',
    detail: 'The members of this cohort are being changed by somebody else. Try again shortly.',
    attr: null,
  })
}
