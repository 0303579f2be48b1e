import type { Asking } from '../sql/sql-statement.ts'
import { eventsQuery, readEventsQuery } from './events-query.ts'
import type { Node } from './query-nodes.ts'
import type { RunKind } from './run-query.ts'
import { checkSqlQuery, sqlQuery } from './sql-query.ts'

/** A kind of query whose answer is columns and rows. */
export interface RowKind {
  /** The name that saved insights have for it. */
  readonly saved: string
  /** @throws ApiError 400 for a query that cannot be asked, as far as it alone tells */
  readonly check: (node: Node, asking: Asking) => unknown
  readonly run: RunKind
}

/** What its answer has among other things. */
export interface Rows {
  readonly results: readonly (readonly unknown[])[]
  readonly columns: readonly string[]
  readonly types: readonly string[]
  readonly hasMore: boolean
}

const SQL: RowKind = { saved: 'SQL', check: checkSqlQuery, run: sqlQuery }

/** By their names; one of other products' clients stands beside our own. */
export const ROW_KINDS: Readonly<Record<string, RowKind>> = {
  SQLQuery: SQL,
  HogQLQuery: SQL,
  EventsQuery: { saved: 'EVENTS', check: readEventsQuery, run: eventsQuery },
}

/** Null for a query of another kind. */
export function rowKindOf({ kind }: Node): RowKind | null {
  const name = String(kind)
  return (Object.hasOwn(ROW_KINDS, name) ? ROW_KINDS[name] : undefined) ?? null
}
