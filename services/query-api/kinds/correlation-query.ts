import { answerOfInsight } from './insight-answer.ts'
import { insightNode } from './insight-kinds.ts'
import { type Node, nodeOf, parameterName, refuseMembers, UNUSED_MEMBERS } from './query-nodes.ts'
import type { RunKind } from './run-query.ts'

/** The last part of the insight's path, and of the path of its people. */
export const CORRELATION = { insight: 'funnel/correlation', people: 'funnel/correlation' } as const

const OWN = [
  'funnelCorrelationType',
  'funnelCorrelationNames',
  'funnelCorrelationEventNames',
  'funnelCorrelationExcludeEventNames',
]

/** What goes with getting through a funnel: its source, as it is or as the source of its people. */
export const correlationQuery: RunKind = async (needs, call, node) =>
  answerOfInsight(needs, call, CORRELATION, correlationParameters(node))

/** The parameters that it is asked with by its own route. @throws ApiError 400 */
export function correlationParameters(node: Node): Node {
  refuseMembers(node, [...UNUSED_MEMBERS, 'source', ...OWN], 'query')
  const own = OWN.map((member) => [parameterName(member), node[member]] as const)
  return { ...funnelOf(node).parameters, ...Object.fromEntries(own) }
}

function funnelOf(node: Node) {
  const source = nodeOf(node.source, 'query__source')
  if (source.kind !== 'FunnelsActorsQuery') return insightNode(source, 'FunnelsQuery')
  const { kind: _, source: inner, ...others } = source
  refuseMembers(others, ['source'], 'query__source')
  return insightNode(nodeOf(inner, 'query__source__source'), 'FunnelsQuery')
}
