import type { ActionRow } from '../../core/metadata/metadata-tables.ts'
import type { ActionDefinition } from '../insights/definitions.ts'
import { ELEMENT_SELECTOR } from '../query/element-properties.ts'
import { readSelector } from '../query/element-selector.ts'
import {
  FILTER_TYPES,
  type FilterGroup,
  type Operator,
  type PropertyFilter,
  type PropertyOwner,
  readFilterTree,
} from '../query/property-filters.ts'
import type { CompleteStep, MATCHINGS } from './action-step.ts'

const OPERATORS: Readonly<Record<(typeof MATCHINGS)[number], Operator>> = {
  contains: 'icontains',
  regex: 'regex',
  exact: 'exact',
}

/**
 * A stored action as questions use it: every condition of a step is a filter.
 *
 * @throws ApiError 400 for one that a version before kept with a selector that nobody can read
 */
export function actionDefinition({ id, name, steps }: ActionRow): ActionDefinition {
  const stored = JSON.parse(steps) as readonly CompleteStep[]
  for (const { selector } of stored) if (selector) readSelector(selector, 'actions')
  return { id, name, steps: stored.map((step) => ({ event: step.event || null, filters: filtersOf(step) })) }
}

function filtersOf(step: CompleteStep): FilterGroup {
  const element = { of: 'element' } as const
  const conditions = [
    condition({ of: 'event' }, '$current_url', step.url, OPERATORS[step.url_matching]),
    condition(element, 'text', step.text, OPERATORS[step.text_matching]),
    condition(element, 'href', step.href, OPERATORS[step.href_matching]),
    condition(element, 'tag_name', step.tag_name, 'exact'),
    condition(element, 'name', step.name, 'exact'),
    condition(element, ELEMENT_SELECTOR, step.selector, 'exact'),
  ].flat()
  const { parts } = readFilterTree(step.properties, 'properties', FILTER_TYPES)
  return { kind: 'AND', parts: [...conditions, ...parts] }
}

/** None for a condition that asks for nothing. */
function condition(
  owner: PropertyOwner,
  key: string,
  value: string | null,
  operator: Operator,
): PropertyFilter[] {
  return value === null || value === '' ? [] : [{ kind: 'filter', owner, key, operator, values: [value] }]
}
