import type { SavedInsightRow } from '../../core/metadata/metadata-tables.ts'
import { invalidInput } from '../http/api-error.ts'
import { checkScope } from '../http/authorize.ts'
import type { CsvCell } from '../http/csv.ts'
import type { Principal } from '../http/principal.ts'
import type { InsightTable } from '../insights/insight-csv.ts'
import { INSIGHT_KINDS as INSIGHTS } from '../insights/insight-kinds.ts'
import { INSIGHT_KINDS, insightNode, rawQuery } from '../kinds/insight-kinds.ts'
import { type Node, nodeOf } from '../kinds/query-nodes.ts'
import { ROW_KINDS, type Rows, rowKindOf } from '../kinds/row-kinds.ts'
import { withoutDrawing } from '../kinds/run-query.ts'
import { UTC } from '../query/zoned-time.ts'
import { checkBelow, checkFilters, type Filters, kindOf, underDashboard } from './insight-filters.ts'

/** What a saved insight asks: the question of an insight by its parameters, or columns and rows. */
export type SavedQuestion =
  | { readonly of: 'insight'; readonly filters: Filters }
  | { readonly of: 'rows'; readonly node: Node }

type Saved = Pick<SavedInsightRow, 'filters' | 'query'>

/** What somebody sends to be saved; both may be left out. */
export interface Given {
  readonly filters?: Filters | undefined
  readonly query?: Filters | null | undefined
}

/** A query of an insight's kind is the same question as its parameters: whatever holds for filters holds for it. */
export function questionOf({ filters, query }: Saved): SavedQuestion {
  return query === null ? { of: 'insight', filters: JSON.parse(filters) } : ofQuery(JSON.parse(query))
}

/** Its kind as lists name it. @throws ApiError 400 about `filters__insight` */
export function kindName(question: SavedQuestion): string {
  return question.of === 'insight' ? kindOf(question.filters) : (rowKindOf(question.node)?.saved ?? '')
}

/** Does it answer rows that its maker chose, of which nobody can tell what they are about? */
export function isOfRows(saved: Saved): boolean {
  return questionOf(saved).of === 'rows'
}

/**
 * Whoever saves a query that answers rows shows them to everybody who may read the insight, so he has to have the right
 * to ask it.
 *
 * @param given an insight, or a tile of a template, as it was sent
 * @throws ApiError 403
 */
export function checkRowsRight(principal: Principal, given: unknown): void {
  const query = memberOf(given, 'query')
  if (typeof query !== 'object' || query === null || rowKindOf(withoutDrawing(query as Node)) === null) return
  checkScope(principal, { object: 'query', action: 'read' })
}

/** {@link checkRowsRight} of every tile. @param template as it was sent */
export function checkTilesRight(principal: Principal, template: unknown): void {
  const tiles = memberOf(template, 'tiles')
  if (Array.isArray(tiles)) for (const tile of tiles) checkRowsRight(principal, tile)
}

function memberOf(given: unknown, name: string): unknown {
  return typeof given === 'object' && given !== null ? (given as Node)[name] : undefined
}

/**
 * Columns of what is to be saved: its filters or its query, never both.
 *
 * @throws ApiError 400 for both, and for what no question could be asked with, below `filters` or `query`
 */
export function questionColumns({
  filters,
  query,
}: Given): Pick<SavedInsightRow, 'filters' | 'query' | 'insight'> {
  if (query === undefined || query === null) {
    const own = filters ?? {}
    checkFilters(own)
    return { filters: JSON.stringify(own), query: null, insight: kindOf(own) }
  }
  if (filters !== undefined && Object.keys(filters).length > 0)
    throw invalidInput('query', 'An insight has either filters or a query: leave one of them out.')
  checkBelow(query, () => checkQuery(withoutDrawing(query)), 'query')
  return { filters: '{}', query: JSON.stringify(query), insight: kindName(ofQuery(query)) }
}

/** The question under the filters of a dashboard. Rows stay as they are: nothing tells which of them a date is about. */
export function underFilters(question: SavedQuestion, dashboard: Filters): SavedQuestion {
  if (question.of === 'rows') return question
  return { of: 'insight', filters: underDashboard(question.filters, dashboard) }
}

/** Its result as a file has it. */
export function questionTable(question: SavedQuestion, result: unknown): InsightTable {
  if (question.of === 'insight') return INSIGHTS[kindOf(question.filters)].table(result)
  const { columns, results } = result as Rows
  return { header: columns, rows: results.map((row) => row.map(cellOf)) }
}

function ofQuery(query: Node): SavedQuestion {
  const node = withoutDrawing(query)
  if (rowKindOf(node) !== null) return { of: 'rows', node }
  const { kind, parameters } = insightNode(node)
  return { of: 'insight', filters: { ...parameters, insight: kind.saved } }
}

function checkQuery(node: Node): void {
  const kind = rowKindOf(node)
  // What is wrong with a text is wrong in every dataset and at any time.
  if (kind !== null) return void kind.check(node, { dataset: '', zone: UTC, nowMs: 0 })
  if (!Object.hasOwn(INSIGHT_KINDS, String(node.kind)))
    throw invalidInput(
      'query__kind',
      `What can be saved is one of ${[...Object.keys(ROW_KINDS), ...Object.keys(INSIGHT_KINDS)].join(', ')}. ` +
        'Ask others by POST query.',
    )
  const { kind: insight, parameters } = insightNode(nodeOf(node, 'query'))
  INSIGHTS[insight.saved].check(rawQuery(parameters))
}

function cellOf(value: unknown): CsvCell {
  if (value === undefined || value === null) return null
  if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
  return JSON.stringify(value)
}
