import { canonicalJson } from '../../core/control/canonical-json.ts'
import { INSIGHT_KINDS } from '../insights/insight-kinds.ts'
import { peopleLink } from '../insights/people-link.ts'
import type { Node } from '../kinds/query-nodes.ts'
import { type Rows, rowKindOf } from '../kinds/row-kinds.ts'
import type { Question } from '../query/question.ts'
import type { RefreshRequest } from '../results/refresh.ts'
import { NO_RESULT, resultView } from '../results/result-view.ts'
import type { ResultAnswer, ResultRequest, Results } from '../results/results.ts'
import { type Filters, kindOf, parametersOf } from './insight-filters.ts'
import type { SavedQuestion } from './saved-question.ts'

const MINUTE_MS = 60_000
/** How long a result counts as fresh; one by the hour changes sooner than others. */
export const FRESH_MS = { hour: 3 * MINUTE_MS, other: 15 * MINUTE_MS } as const

/**
 * The result of a question that was saved, kept or computed.
 *
 * @param origin where links to the people behind the result lead; null for a result without any, for whoever may not
 *               know them
 */
export function savedResult(
  results: Results,
  question: Question,
  saved: SavedQuestion,
  refresh: RefreshRequest,
  origin: string | null,
): Promise<ResultAnswer> {
  const asked = saved.of === 'rows' ? ofRows(saved.node) : ofInsight(question, saved.filters, origin)
  return results.answer({ question, refresh, ...asked })
}

type Asked = Pick<ResultRequest, 'asked' | 'freshMs' | 'compute'>

function ofInsight(question: Question, filters: Filters, origin: string | null): Asked {
  const kind = INSIGHT_KINDS[kindOf(filters)]
  const parameters = parametersOf(filters)
  const path = `/api/datasets/${encodeURIComponent(question.dataset.id)}/insights/saved`
  const link = peopleLink(new URL(path, origin ?? NOWHERE), kind.people, parameters)
  return {
    asked: ['saved', kindOf(filters), Object.entries(parameters).toSorted(), origin],
    freshMs: parameters.interval === 'hour' || parameters.period === 'Hour' ? FRESH_MS.hour : FRESH_MS.other,
    compute: async (needs, own) => {
      const result = await kind.result(needs, own, parameters, link)
      return origin === null ? withoutLinks(result) : result
    },
  }
}

/** Rows have no links, so they are the same for everybody. */
function ofRows(node: Node): Asked {
  return {
    asked: ['saved rows', canonicalJson(node)],
    freshMs: FRESH_MS.other,
    async compute(needs, question) {
      const kind = rowKindOf(node)
      if (kind === null) throw new Error(`A saved query is of the kind ${node.kind}.`)
      return kind.run(needs, { question, url: new URL(NOWHERE) }, node)
    },
  }
}

/** Of a result that is no table, or not there. */
const NO_TABLE = { columns: null, types: null, hasMore: null } as const

/** Of one that was not asked for. */
export const NO_SAVED_RESULT = { ...NO_RESULT, ...NO_TABLE } as const

/** A result as a saved insight is shown with it; all of it null where there is none yet. */
export function savedView({ of }: SavedQuestion, answer: ResultAnswer) {
  const view = resultView(answer)
  if (of === 'insight' || answer.result === null) return { ...view, ...NO_TABLE }
  const { results, columns, types, hasMore } = answer.result as Rows
  return { ...view, result: results, columns, types, hasMore }
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
