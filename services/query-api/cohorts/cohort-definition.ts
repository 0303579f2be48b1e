import type { CohortRow } from '../../core/metadata/metadata-tables.ts'
import { ApiError } from '../http/api-error.ts'
import type { CohortDefinition } from '../insights/definitions.ts'
import { membersOfSet } from './cohort-members.ts'

/**
 * A cohort as questions use it: the members of the last finished calculation.
 *
 * @throws ApiError 400 before the first one: nobody would be a wrong answer
 */
export function cohortDefinition(row: CohortRow): CohortDefinition {
  const { id, name, dataset_id: dataset, calculation } = row
  if (calculation === 0)
    throw new ApiError(400, {
      type: 'validation_error',
      code: 'not_calculated',
      detail: `Cohort ${id} has not been calculated yet. Try again shortly, or look at its calculations.`,
      attr: null,
    })
  return { id, name, members: membersOfSet({ dataset, cohort: id, calculation }) }
}
