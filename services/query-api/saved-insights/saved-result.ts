import type { InsightNeeds } from '../insights/frame.ts'
import { INSIGHT_KINDS } from '../insights/insight-kinds.ts'
import { peopleLink } from '../insights/people-link.ts'
import type { Question } from '../query/question.ts'
import type { RefreshRequest } from '../results/refresh.ts'
import type { ResultAnswer, Results } from '../results/results.ts'
import { type Filters, kindOf, parametersOf } from './insight-filters.ts'

const MINUTE_MS = 60_000
/** How long a result counts as fresh; one by the hour changes sooner than others. */
export const FRESH_MS = { hour: 3 * MINUTE_MS, other: 15 * MINUTE_MS } as const

/**
 * The result of filters that were saved, kept or computed.
 *
 * @param origin where links to the people behind the result lead; null for a result without any, for whoever may not
 *               know them
 */
export function savedResult(
  results: Results,
  question: Question,
  filters: Filters,
  refresh: RefreshRequest,
  origin: string | null,
): Promise<ResultAnswer> {
  const kind = INSIGHT_KINDS[kindOf(filters)]
  const parameters = parametersOf(filters)
  const path = `/api/datasets/${encodeURIComponent(question.dataset.id)}/insights/saved`
  const link = peopleLink(new URL(path, origin ?? NOWHERE), kind.people, parameters)
  return results.answer({
    question,
    asked: ['saved', kindOf(filters), Object.entries(parameters).toSorted(), origin],
    freshMs: parameters.interval === 'hour' || parameters.period === 'Hour' ? FRESH_MS.hour : FRESH_MS.other,
    refresh,
    compute: async (needs: InsightNeeds, own) => {
      const result = await kind.result(needs, own, parameters, link)
      return origin === null ? withoutLinks(result) : result
    },
  })
}

const NOWHERE = 'http://localhost'
/** Members of results that lead to people. */
const LINKS = new Set([
  'persons_urls',
  'dropped_persons_urls',
  'people_url',
  'converted_people_url',
  'dropped_people_url',
])

function withoutLinks(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutLinks)
  if (typeof value !== 'object' || value === null) return value
  const members = Object.entries(value).filter(([name]) => !LINKS.has(name))
  return Object.fromEntries(members.map(([name, member]) => [name, withoutLinks(member)]))
}
