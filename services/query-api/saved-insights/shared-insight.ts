import { Type } from '@sinclair/typebox'
import { resultView } from '../results/result-view.ts'
import type { ResultAnswer } from '../results/results.ts'
import type { SavedInsight } from './saved-insight-store.ts'
import { questionOf } from './saved-question.ts'

const TextOrNull = Type.Union([Type.String(), Type.Null()])

/** An insight as strangers see it: what its filters are is not told, for they may name people. */
export const SharedInsight = Type.Object({
  name: Type.String(),
  description: Type.String(),
  insight: Type.String({ description: 'Its kind.' }),
  display: TextOrNull,
  result: Type.Unknown({
    description:
      'Without links to people; null where there is none, and for rows of an SQLQuery or EventsQuery.',
  }),
  last_refresh: TextOrNull,
})

/** @param answer null where it has no result */
export function sharedInsight(
  insight: Pick<SavedInsight, 'name' | 'description' | 'insight' | 'filters' | 'query'>,
  answer: ResultAnswer | null,
) {
  const { name, description, insight: kind } = insight
  const question = questionOf(insight)
  const display = question.of === 'insight' ? question.filters.display : null
  return {
    name,
    description,
    insight: kind,
    display: typeof display === 'string' ? display : null,
    result: answer?.result ?? null,
    last_refresh: answer === null ? null : resultView(answer).last_refresh,
  }
}
