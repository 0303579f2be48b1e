import type { CohortRow } from '../../core/metadata/metadata-tables.ts'
import { invalidInput } from '../http/api-error.ts'
import type { ColumnChange, ObjectStore } from '../objects/object-store.ts'
import { type CriteriaGroup, cohortsIn, eventsIn, hasCriteria, readCriteria } from './cohort-criteria.ts'

/** What the checks look up. */
export interface CohortChecks {
  readonly cohorts: ObjectStore<CohortRow>
  readonly hasAction: (dataset: string, id: number) => Promise<boolean>
  /** Deletes what else there is of a cohort, before it is removed. */
  readonly forget: (row: CohortRow) => Promise<void>
}

type Filters = Parameters<typeof hasCriteria>[0]

/**
 * The store of cohorts, with what a cohort must be to be kept: a dynamic one has criteria that can be calculated, of
 * cohorts and actions that are there, and is never made of itself; a static one has none. A change of the criteria asks
 * for a calculation. All throw ApiError 400.
 */
export function checkedCohorts({ cohorts, hasAction, forget }: CohortChecks): ObjectStore<CohortRow> {
  /** @param id of the cohort that is changed; null for a new one, which nothing can be made of yet */
  async function check(
    dataset: string,
    id: number | null,
    isStatic: boolean,
    filters: Filters,
  ): Promise<void> {
    if (isStatic) {
      if (hasCriteria(filters)) throw invalidInput('filters', 'A static cohort has no filters.')
      return
    }
    if (!hasCriteria(filters)) throw invalidInput('filters', 'This field is required.', 'required')
    const criteria = readCriteria(filters)
    for (const event of eventsIn(criteria))
      if (event.type === 'actions' && !(await hasAction(dataset, event.id)))
        throw invalidInput('filters', `There is no action ${event.id}.`)
    await checkCohorts(dataset, id, criteria)
  }

  async function checkCohorts(dataset: string, id: number | null, criteria: CriteriaGroup): Promise<void> {
    const seen = new Set<number>()
    for (let next = cohortsIn(criteria); next.length > 0; ) {
      const found: number[] = []
      for (const one of next) {
        if (one === id) throw invalidInput('filters', `Cohort ${id} would be made of itself.`)
        if (seen.has(one)) continue
        seen.add(one)
        const row = await cohorts.get(dataset, one)
        if (row === null || row.deleted === 1) throw invalidInput('filters', `There is no cohort ${one}.`)
        if (row.is_static === 0) found.push(...cohortsIn(readCriteria(JSON.parse(row.filters))))
      }
      next = found
    }
  }

  return {
    ...cohorts,
    async create(dataset, columns, atMs, by) {
      const isStatic = columns.is_static === 1
      await check(dataset, null, isStatic, JSON.parse(columns.filters))
      return cohorts.create(dataset, { ...columns, is_due: Number(!isStatic) }, atMs, by)
    },
    async update(dataset, id, change, atMs, seenMs) {
      const row = await cohorts.get(dataset, id)
      if (row === null) return null
      if (change.is_static !== undefined && change.is_static !== row.is_static)
        throw invalidInput('is_static', 'A cohort stays static, or dynamic, as it was made.')
      if (change.filters === undefined || change.filters === row.filters)
        return cohorts.update(dataset, id, change, atMs, seenMs)
      await check(dataset, id, row.is_static === 1, JSON.parse(change.filters))
      const again: ColumnChange<CohortRow> = row.is_static === 1 ? {} : { is_due: 1, errors: 0 }
      return cohorts.update(dataset, id, { ...change, ...again }, atMs, seenMs)
    },
    async remove(dataset, id) {
      const row = await cohorts.get(dataset, id)
      if (row === null) return false
      await forget(row)
      return cohorts.remove(dataset, id)
    },
  }
}
