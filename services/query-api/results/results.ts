import { createHash } from 'node:crypto'
import type { Clock } from '../../core/runtime/clock.ts'
import type { Logger } from '../../core/runtime/logger.ts'
import type { Metrics } from '../../core/runtime/metrics.ts'
import { knownError } from '../http/error-answer.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import type { AskTable } from '../query/ask-table.ts'
import type { Question } from '../query/question.ts'
import { createComputations } from './computations.ts'
import { queryProgress } from './query-progress.ts'
import { type QueryStatus, statusOf } from './query-status.ts'
import type { RefreshMode, RefreshRequest } from './refresh.ts'
import { createResultCache, type KeptResult } from './result-cache.ts'
import { areUnchanged, notingDefinitions } from './seen-definitions.ts'
import { createTurns } from './turns.ts'

/** A result that somebody wants, and how it is computed when none is kept that will do. */
export interface ResultRequest {
  readonly question: Question
  /**
   * All that the result depends on beside dataset, time zone and what users have saved: what is asked, and what is
   * otherwise in it, such as where its links lead. What has the same JSON is the same result.
   */
  readonly asked: unknown
  /** How long one counts as fresh, ms. */
  readonly freshMs: number
  readonly refresh: RefreshRequest
  /**
   * Uses what it is handed and nothing else: definitions that it looks up are noted, and its statements are those
   * that progress is told of and that end when nobody wants the result any more.
   */
  compute(needs: ResultNeeds, question: Question): Promise<unknown>
}

/** What results are computed with. */
export type ResultNeeds = InsightNeeds & { readonly askTable: AskTable }

export interface ResultAnswer {
  /** Null where none is kept and none was waited for. */
  readonly result: unknown
  readonly isCached: boolean
  /** When its computation began, epoch ms. */
  readonly lastRefreshMs: number | null
  /** From when on a question that waits (`blocking`) computes it anew. */
  readonly nextRefreshMs: number | null
  readonly cacheKey: string
  /** Of the computation that goes on; null when none does. */
  readonly status: QueryStatus | null
}

/**
 * Results that are kept for a while, and computations that nobody has to wait for. One process keeps its own: ask the
 * same one after a computation. Every member may be called in parallel.
 */
export interface Results {
  /** @throws ApiError what the computation throws; DependencyError */
  answer(request: ResultRequest): Promise<ResultAnswer>
  /** Null when there is no such computation of the dataset, or not any more. */
  status(question: Question, id: string): Promise<QueryStatus | null>
  /** Ends a computation, in ClickHouse too unless somebody else waits for it. @returns whether it was running */
  cancel(dataset: string, id: string): boolean
}

export interface ResultLimits {
  readonly resultsBytesMax: number
  readonly resultsAgeMaxMs: number
  /** Computations that nobody waits for, at once. */
  readonly asyncMax: number
}

/** A dataset's share of the asynchronous computations is at most half of them. */
const ASYNC_SHARE = 2
/** Asynchronous computations of one dataset that wait for their turn. */
export const ASYNC_WAITING_MAX = 50
/** A result that is older than fresh by this factor still does for `lazy_async`. */
export const LAZY_FACTOR = 4
const ID_BYTES = 16

export function createResults(given: {
  readonly needs: ResultNeeds
  readonly limits: ResultLimits
  readonly clock: Clock
  readonly randomBytes: (size: number) => Uint8Array
  readonly metrics: Metrics
  readonly logger: Logger
}): Results {
  const { needs, limits, clock, randomBytes, metrics, logger } = given
  const { resultsBytesMax, resultsAgeMaxMs, asyncMax } = limits
  const answered = metrics.counter(
    'millrace_query_api_results_total',
    'Results that were asked for, by where they came from: kept, computed, begun, none.',
    ['source'],
  )
  const size = metrics.gauge('millrace_query_api_results_bytes', 'Size of the results that are kept.')
  const cache = createResultCache(resultsBytesMax, resultsAgeMaxMs, clock)
  const perDatasetMax = Math.max(1, Math.floor(asyncMax / ASYNC_SHARE))
  const turns = createTurns(asyncMax, perDatasetMax, ASYNC_WAITING_MAX)
  const computations = createComputations<KeptResult>(turns, clock)

  /** What is kept and still made from what users have saved. */
  async function kept(key: string, dataset: string): Promise<KeptResult | null> {
    const found = cache.get(key)
    if (found === null || (await areUnchanged(needs.definitions, dataset, found.seen))) return found
    cache.delete(key)
    return null
  }

  async function compute(
    { question: asking, compute: work }: ResultRequest,
    key: string,
    signal: AbortSignal,
    onStatement: (id: string) => void,
  ): Promise<KeptResult> {
    const computedMs = clock.now()
    const { definitions, seen } = notingDefinitions(needs.definitions)
    const value = await work({ ...needs, definitions }, { ...asking, signal, onStatement })
    const result = { json: JSON.stringify(value ?? null), computedMs, seen: seen() }
    cache.set(key, result)
    size.set(cache.bytes)
    return result
  }

  const wantedBy = (request: ResultRequest, key: string) => ({
    dataset: request.question.dataset.id,
    id: request.refresh.clientQueryId ?? Buffer.from(randomBytes(ID_BYTES)).toString('hex'),
    key,
    work: (signal: AbortSignal, onStatement: (id: string) => void) =>
      compute(request, key, signal, onStatement),
  })

  function begin(request: ResultRequest, key: string): QueryStatus {
    const wanted = wantedBy(request, key)
    const work: typeof wanted.work = async (...given) => {
      try {
        return await wanted.work(...given)
      } catch (error) {
        // Nobody waits who could be told.
        if (knownError(error) === null) logger.error({ err: error }, 'An asynchronous question failed.')
        throw error
      }
    }
    return statusOf(computations.begin({ ...wanted, work }), null, null)
  }

  return {
    async answer(request) {
      const { question, refresh, freshMs } = request
      const key = keyOf(question, request.asked)
      const found = await kept(key, question.dataset.id)
      const ageMs = found === null ? Number.POSITIVE_INFINITY : clock.now() - found.computedMs
      const next = nextStep(refresh.refresh, ageMs, freshMs)
      answered.add(1, { source: next === 'keep' ? (found === null ? 'none' : 'kept') : next })
      const result =
        next === 'compute' ? await computations.wait(wantedBy(request, key), question.signal) : found
      return {
        result: result === null ? null : JSON.parse(result.json),
        isCached: result !== null && next !== 'compute',
        lastRefreshMs: result?.computedMs ?? null,
        nextRefreshMs: result === null ? null : result.computedMs + freshMs,
        cacheKey: key,
        status: next === 'begin' ? begin(request, key) : null,
      }
    },
    async status(question, id) {
      const ticket = computations.ticket(question.dataset.id, id)
      if (ticket === null) return null
      if (ticket.outcome.state === 'running')
        return statusOf(ticket, null, await queryProgress(needs.ask, question, ticket.statements))
      return statusOf(
        ticket,
        ticket.outcome.state === 'done' ? (cache.get(ticket.key)?.json ?? null) : null,
        null,
      )
    },
    cancel: (dataset, id) => computations.cancel(dataset, id),
  }
}

/** What a mode makes of a result of that age, infinite for none: it will do, one is waited for, or one is begun. */
export function nextStep(mode: RefreshMode, ageMs: number, freshMs: number): 'keep' | 'compute' | 'begin' {
  switch (mode) {
    case 'force_cache':
      return 'keep'
    case 'blocking':
      return ageMs < freshMs ? 'keep' : 'compute'
    case 'force_blocking':
      return 'compute'
    case 'async':
      return ageMs < freshMs ? 'keep' : 'begin'
    case 'lazy_async':
      return ageMs < freshMs * LAZY_FACTOR ? 'keep' : 'begin'
    case 'force_async':
      return 'begin'
  }
}

function keyOf({ dataset, zone }: Question, asked: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify([dataset.id, zone, asked]))
    .digest('hex')
}
