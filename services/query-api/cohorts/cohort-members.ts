import type { ClickHouse } from '../../core/clickhouse/clickhouse.ts'
import type { Bindings } from '../query/bindings.ts'
import type { CohortMembers } from '../query/filter-sql.ts'
import { PERSON_KEY, withPersonSql } from '../query/person-rows.ts'

/** One calculation of a cohort. */
export interface CohortSet {
  readonly dataset: string
  readonly cohort: number
  readonly calculation: number
}

/**
 * Its members as they are now: a person that was merged into another one counts as that one from the merge on. (Of a
 * person that was split it is the part with the distinct id that it began with.)
 */
export function membersOfSet(set: CohortSet): CohortMembers {
  return (bindings) => {
    const rows = `SELECT distinct_id FROM cohort_members WHERE ${isOfSet(set, bindings)}`
    return `SELECT ${PERSON_KEY} AS person FROM (${withPersonSql(rows, set.dataset, bindings)})`
  }
}

/** Condition on the tables of cohorts. */
export function isOfSet({ dataset, cohort, calculation }: CohortSet, bindings: Bindings): string {
  return (
    `dataset_id = ${bindings.bind(dataset, 'String')} AND cohort_id = ${bindings.bind(cohort, 'UInt64')} ` +
    `AND calculation = ${bindings.bind(calculation, 'UInt64')}`
  )
}

/** Puts distinct ids into a set. Rejects with a DependencyError; some of them may be in it then. */
export type InsertListed = (set: CohortSet, distinctIds: readonly string[]) => Promise<void>

export function createInsertListed(clickhouse: Pick<ClickHouse, 'insert'>): InsertListed {
  return async ({ dataset, cohort, calculation }, distinctIds) => {
    const row = { dataset_id: dataset, cohort_id: cohort, calculation }
    const lines = distinctIds.map((id) => JSON.stringify({ ...row, distinct_id: id }))
    await clickhouse.insert('cohort_members', 'JSONEachRow', Buffer.from(lines.join('\n')), {
      async_insert: 0,
    })
  }
}
