import { filterScope } from '../insights/frame.ts'
import type { Bindings } from '../query/bindings.ts'
import { jsonPropertySql } from '../query/event-properties.ts'
import { membersOf, propertyFilterSql } from '../query/filter-sql.ts'
import { newestPersonsSql } from '../query/person-rows.ts'
import { behaviourSql, type CriteriaScope } from './behaviour-sql.ts'
import type { CriteriaGroup, Criterion } from './cohort-criteria.ts'

/** A SELECT of `person`, each once: everybody who fits the criteria and was not deleted. */
export function criteriaSql(group: CriteriaGroup, scope: CriteriaScope, bindings: Bindings): string {
  const deleted =
    'SELECT person_key FROM persons ' +
    `WHERE dataset_id = ${bindings.bind(scope.frame.dataset, 'String')} ` +
    'GROUP BY person_key HAVING argMax(is_deleted, version) = 1'
  return (
    `SELECT DISTINCT person FROM (${groupSql(group, scope, bindings)}) ` + `WHERE person NOT IN (${deleted})`
  )
}

function groupSql({ kind, parts }: CriteriaGroup, scope: CriteriaScope, bindings: Bindings): string {
  const sqlOf = (part: CriteriaGroup | Criterion) =>
    'parts' in part ? groupSql(part, scope, bindings) : criterionSql(part, scope, bindings)
  if (kind === 'OR') return `SELECT person FROM (${parts.map(sqlOf).join(' UNION ALL ')})`
  const isNegated = (part: CriteriaGroup | Criterion) => 'isNegated' in part && part.isNegated
  const [from, ...others] = parts.toSorted((a, b) => Number(isNegated(a)) - Number(isNegated(b)))
  const conditions = others.map((part) => `person ${isNegated(part) ? 'NOT IN' : 'IN'} (${sqlOf(part)})`)
  const where = conditions.length === 0 ? '' : ` WHERE ${conditions.join(' AND ')}`
  return `SELECT person FROM (${sqlOf(from as CriteriaGroup | Criterion)})${where}`
}

/** Those of whom it holds, negated or not. */
function criterionSql(criterion: Criterion, scope: CriteriaScope, bindings: Bindings): string {
  switch (criterion.kind) {
    case 'behaviour':
      return behaviourSql(criterion.behaviour, scope, bindings)
    case 'cohort':
      return membersOf(criterion.id, filterScope(scope.frame, bindings))
    case 'person': {
      const { filter } = criterion
      const property = jsonPropertySql('newest_properties', bindings.bind(filter.key, 'String'))
      const holds = propertyFilterSql(filter, property, filterScope(scope.frame, bindings))
      return (
        `SELECT newest_key AS person FROM (${newestPersonsSql(scope.frame.dataset, bindings)}) ` +
        `WHERE ${holds}`
      )
    }
  }
}
