import { invalidInput } from '../http/api-error.ts'
import { readOverride, underDashboard } from '../saved-insights/insight-filters.ts'
import { INSIGHT_KINDS } from './insight-kinds.ts'
import { type Node, optionalNode } from './query-nodes.ts'

/**
 * The query of an insight under filters that a call puts over it, as a dashboard does: its dates go before, and events
 * have to pass the properties of both.
 *
 * @param given `{date_from, date_to, properties}`; left out, null or empty for nothing
 * @throws ApiError 400 for what is none of these, and for a query of another kind
 */
export function underOverride(node: Node, given: unknown): Node {
  const override = readOverride(given)
  if (Object.keys(override).length === 0) return node
  if (!Object.hasOwn(INSIGHT_KINDS, String(node.kind)))
    throw invalidInput(
      'filters_override',
      `This stands over the filters of ${Object.keys(INSIGHT_KINDS).join(', ')}. Put it into a query of another kind.`,
    )
  const { dateRange, properties, ...others } = node
  if (typeof properties === 'string')
    throw invalidInput('query__properties', 'Beside filters_override this is a list or a group.')
  const { date_from, date_to } = optionalNode(dateRange, 'query__dateRange')
  const under = underDashboard({ date_from, date_to, properties }, override)
  return {
    ...others,
    dateRange: { date_from: under.date_from ?? null, date_to: under.date_to ?? null },
    properties: under.properties ?? null,
  }
}
