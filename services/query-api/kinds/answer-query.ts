import { createHash } from 'node:crypto'
import { canonicalJson } from '../../core/control/canonical-json.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import type { Question } from '../query/question.ts'
import type { Node } from './query-nodes.ts'
import type { QueryResult } from './run-query.ts'

/** How fresh an answer has to be, and whether it is waited for. */
export const REFRESHES = [
  'blocking',
  'async',
  'lazy_async',
  'force_blocking',
  'force_async',
  'force_cache',
] as const
export type Refresh = (typeof REFRESHES)[number]

export interface AskedQuery {
  readonly question: Question
  readonly node: Node
  readonly refresh: Refresh
  /** The same for the same query of the same dataset, and for no other. */
  readonly cacheKey: string
}

/**
 * Decides whether a query is computed, and tells what was found or begun. The one place where answers may be kept or made
 * later: whoever keeps answers puts another function here, and no kind of query knows.
 *
 * @param compute makes the result; rejects as {@link runQuery} does
 */
export type AnswerQuery = (asked: AskedQuery, compute: () => Promise<QueryResult>) => Promise<QueryResult>

/** Computes every query while the client waits. Nothing is kept, so there is nothing to answer from a cache. */
export function answerAtOnce(clock: Pick<Clock, 'now'>): AnswerQuery {
  return async ({ refresh, cacheKey, question }, compute) => {
    const common = { is_cached: false, cache_key: cacheKey, timezone: question.zone }
    if (refresh === 'force_cache') return { results: null, last_refresh: null, ...common }
    const result = await compute()
    return { ...result, last_refresh: new Date(clock.now()).toISOString(), ...common }
  }
}

/** SHA-256 of dataset, zone and query: equal JSON in any order of its members has one key. */
export function cacheKeyOf({ dataset, zone }: Question, node: Node): string {
  const text = `${dataset.id}\n${zone}\n${canonicalJson(node)}`
  return createHash('sha256').update(text).digest('hex')
}
