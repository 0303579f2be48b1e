import { INSIGHTS } from '../insights/insight-questions.ts'
import { peopleLink } from '../insights/people-link.ts'
import { type InsightKind, insightNode, rawQuery } from './insight-kinds.ts'
import type { Node } from './query-nodes.ts'
import type { QueryCall, QueryNeeds, QueryResult, RunKind } from './run-query.ts'

/** An insight: the same question as its own route answers, from the same parameters. */
export const insightAnswer: RunKind = async (needs, call, node) => {
  const { kind, parameters } = insightNode(node)
  return answerOfInsight(needs, call, kind, parameters)
}

/** What the insight's own route answers, with the addresses of the people behind it. */
export async function answerOfInsight(
  needs: QueryNeeds,
  { question, url }: QueryCall,
  { insight: path, people }: Pick<InsightKind, 'insight' | 'people'>,
  parameters: Node,
): Promise<QueryResult> {
  const query = rawQuery(parameters)
  const address = new URL(url)
  address.pathname = address.pathname.replace(/\/query\/?$/, `/insights/${path}`)
  const insight = INSIGHTS.find((one) => one.path === path)
  if (insight === undefined) throw new Error(`There is no insight ${path}.`)
  return { results: await insight.result(needs, question, query, peopleLink(address, people, query)) }
}
