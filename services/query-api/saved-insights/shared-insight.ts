import { Type } from '@sinclair/typebox'
import { resultView } from '../results/result-view.ts'
import type { ResultAnswer } from '../results/results.ts'
import { kindOf } from './insight-filters.ts'
import type { SavedInsight } from './saved-insight-store.ts'

const TextOrNull = Type.Union([Type.String(), Type.Null()])

/** An insight as strangers see it: what its filters are is not told, for they may name people. */
export const SharedInsight = Type.Object({
  name: Type.String(),
  description: Type.String(),
  insight: Type.String({ description: 'Its kind.' }),
  display: TextOrNull,
  result: Type.Unknown({ description: 'Without links to people; null where there is none.' }),
  last_refresh: TextOrNull,
})

/** @param answer null where it has no result */
export function sharedInsight(
  { name, description, filters }: Pick<SavedInsight, 'name' | 'description' | 'filters'>,
  answer: ResultAnswer | null,
) {
  const given = JSON.parse(filters)
  return {
    name,
    description,
    insight: kindOf(given),
    display: typeof given.display === 'string' ? given.display : null,
    result: answer?.result ?? null,
    last_refresh: answer === null ? null : resultView(answer).last_refresh,
  }
}
