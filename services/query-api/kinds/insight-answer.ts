import { INSIGHTS } from '../insights/insight-questions.ts'
import { peopleLink } from '../insights/people-link.ts'
import { insightNode, rawQuery } from './insight-kinds.ts'
import type { RunKind } from './run-query.ts'

/** An insight: the same question as its own route answers, from the same parameters. */
export const insightAnswer: RunKind = async (needs, { question, url }, node) => {
  const { kind, parameters } = insightNode(node)
  const query = rawQuery(parameters)
  const address = new URL(url)
  address.pathname = address.pathname.replace(/\/query\/?$/, `/insights/${kind.insight}`)
  const link = peopleLink(address, kind.people, query)
  const insight = INSIGHTS.find(({ path }) => path === kind.insight)
  if (insight === undefined) throw new Error(`There is no insight ${kind.insight}.`)
  return { results: await insight.result(needs, question, query, link) }
}
