import type { CohortMembers } from '../query/filter-sql.ts'
import type { FilterGroup } from '../query/property-filters.ts'

/** One step of an action: an event of that name (null for any) that passes the filters. */
export interface ActionStep {
  readonly event: string | null
  readonly filters: FilterGroup
}

/** An event is of an action when it is of one of its steps; decided anew with every question. */
export interface ActionDefinition {
  readonly id: number
  readonly name: string
  readonly steps: readonly ActionStep[]
}

export interface CohortDefinition {
  readonly id: number
  readonly name: string
  readonly members: CohortMembers
}

/**
 * What users have saved and insights refer to by id, per dataset. All three may run in parallel; they reject with a
 * DependencyError when the store cannot answer.
 */
export interface Definitions {
  /** Null when the dataset has no such action. */
  action(dataset: string, id: number): Promise<ActionDefinition | null>
  /** Null when the dataset has no such cohort. Its members are those of the last finished calculation. */
  cohort(dataset: string, id: number): Promise<CohortDefinition | null>
  /** What leaves the dataset's test accounts out; the empty group where it has none. */
  testAccountFilters(dataset: string): Promise<FilterGroup>
}
