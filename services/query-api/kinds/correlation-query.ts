import { funnelCorrelation, readCorrelationRequest } from '../insights/funnel-correlation.ts'
import { insightNode, rawQuery } from './insight-kinds.ts'
import { type Node, nodeOf, parameterName, refuseMembers, UNUSED_MEMBERS } from './query-nodes.ts'
import type { RunKind } from './run-query.ts'

const OWN = [
  'funnelCorrelationType',
  'funnelCorrelationNames',
  'funnelCorrelationEventNames',
  'funnelCorrelationExcludeEventNames',
]

/** What goes with getting through a funnel: its source, as it is or as the source of its people. */
export const correlationQuery: RunKind = async (needs, { question }, node) => {
  refuseMembers(node, [...UNUSED_MEMBERS, 'source', ...OWN], 'query')
  const own = OWN.map((member) => [parameterName(member), node[member]] as const)
  const parameters = { ...funnelOf(node).parameters, ...Object.fromEntries(own) }
  const request = readCorrelationRequest(rawQuery(parameters))
  return { results: await funnelCorrelation(needs, question, request) }
}

function funnelOf(node: Node) {
  const source = nodeOf(node.source, 'query__source')
  if (source.kind !== 'FunnelsActorsQuery') return insightNode(source, 'FunnelsQuery')
  const { kind: _, source: inner, ...others } = source
  refuseMembers(others, ['source'], 'query__source')
  return insightNode(nodeOf(inner, 'query__source__source'), 'FunnelsQuery')
}
