import { leavingOut, type RawQuery } from '../http/request-parameters.ts'
import { readFunnelRequest } from './funnel-request.ts'
import { INSIGHTS, type InsightDeclaration, type Result } from './insight-questions.ts'
import { readLifecycleRequest } from './lifecycle.ts'
import { readPathRequest } from './path-request.ts'
import { readRetentionRequest } from './retention-request.ts'
import { readStickinessRequest } from './stickiness.ts'
import { readTimingRequest } from './timing-request.ts'
import { readTrendRequest } from './trend-request.ts'

/** A kind of insight, however its question came here: in a call, or saved long ago. */
export interface InsightKind {
  /** The last part of the path of the people behind it. */
  readonly people: string
  /** @throws ApiError 400 for parameters that no question can be asked with, as far as they alone tell */
  readonly check: (query: RawQuery) => unknown
  readonly result: Result
  /** What `result` gave, as a file has it. */
  readonly table: InsightDeclaration['table']
}

function insightAt(path: InsightDeclaration['path']): InsightDeclaration {
  const found = INSIGHTS.find((one) => one.path === path)
  if (found === undefined) throw new Error(`There is no insight ${path}.`)
  return found
}

function declared(path: InsightDeclaration['path'], check: InsightKind['check']): InsightKind {
  const found = insightAt(path)
  return { people: found.people, check, result: found.result, table: found.table }
}

/** By the names that clients of product-analytics APIs save them under. */
export const INSIGHT_KINDS = {
  TRENDS: declared('trend', (query) => readTrendRequest(query)),
  FUNNELS: declared('funnel', (query) => readFunnelRequest(query)),
  RETENTION: declared('retention', (query) => readRetentionRequest(query)),
  PATHS: declared('path', (query) => readPathRequest(query)),
  STICKINESS: declared('stickiness', (query) => readStickinessRequest(query)),
  LIFECYCLE: declared('lifecycle', (query) => readLifecycleRequest(query)),
  TIMING: declared('timing', (query) => readTimingRequest(query)),
} as const satisfies Readonly<Record<string, InsightKind>>

/** Of clients that ask for a stickiness or a lifecycle as a trend which is drawn in another way. */
const SHOWN_AS = { Stickiness: 'STICKINESS', Lifecycle: 'LIFECYCLE' } as const

/** The kind that `shown_as` makes of a trend; null for none. */
export function shownKindOf(shownAs: unknown): 'STICKINESS' | 'LIFECYCLE' | null {
  return shownAs === 'Stickiness' || shownAs === 'Lifecycle' ? SHOWN_AS[shownAs] : null
}

/**
 * A question as it is asked at the address of an insight: at that of trends it may be about a stickiness or a lifecycle,
 * as `shown_as` or `insight` says, and has their parameters then.
 *
 * @param path the last part of the address
 */
export function askedInsight(
  path: InsightDeclaration['path'],
  query: RawQuery,
): { readonly insight: Pick<InsightKind, 'people' | 'result' | 'table'>; readonly query: RawQuery } {
  const own = query.insight === 'STICKINESS' || query.insight === 'LIFECYCLE' ? query.insight : null
  const kind = path === 'trend' ? (shownKindOf(query.shown_as) ?? own) : null
  return kind === null
    ? { insight: insightAt(path), query }
    : { insight: INSIGHT_KINDS[kind], query: leavingOut(query, ['insight', 'shown_as']) }
}

export type InsightKindName = keyof typeof INSIGHT_KINDS
export const INSIGHT_KIND_NAMES = Object.keys(INSIGHT_KINDS) as InsightKindName[]
