import type { Logger } from '../../core/runtime/logger.ts'
import { boundedLabel, type Metrics } from '../../core/runtime/metrics.ts'
import { ApiError } from './api-error.ts'
import type { CounterState, RateCounters } from './rate-counters.ts'
import { type LimitClass, RATE_LIMITS, type RateLimit } from './rate-limits.ts'

/** Whose requests are counted together: all those about a dataset, else those of a key, else those of an address. */
export interface Identity {
  readonly kind: 'dataset' | 'key' | 'address'
  readonly id: string
}

export interface RateLimiter {
  /**
   * Counts a request.
   *
   * @param path of the route, without anybody's ids
   * @returns headers that tell how much is left
   * @throws ApiError 429
   */
  take(identity: Identity, limitClass: LimitClass, path: string): Promise<Readonly<Record<string, string>>>
}

/** Addresses are counted apart, so that who comes with many of them makes nobody else's counts be forgotten. */
export interface CountersByIdentity {
  readonly known: RateCounters
  readonly addresses: RateCounters
}

export interface RateLimiterOptions {
  readonly enabled: boolean
  /** Datasets that are served whatever they ask, beside those of which the configuration says it. */
  readonly allowed: ReadonlySet<string>
}

/** Datasets that have a label of their own in metrics. */
const DATASET_LABELS_MAX = 200

/**
 * What cannot be counted is served: a limit protects the store behind, and a broken counter must not close the API.
 */
export function createRateLimiter(
  { known, addresses }: CountersByIdentity,
  { enabled, isAllowed }: { readonly enabled: boolean; readonly isAllowed: (dataset: string) => boolean },
  metrics: Metrics,
  logger: Logger,
): RateLimiter {
  const exceeded = metrics.counter(
    'millrace_query_api_rate_limit_exceeded_total',
    'Requests that were refused, by dataset (or kind of identity), limit and route.',
    ['dataset', 'scope', 'path'],
  )
  const bypassed = metrics.counter(
    'millrace_query_api_rate_limit_bypassed_total',
    'Requests about datasets that are not limited, by route.',
    ['path'],
  )
  const failed = metrics.counter(
    'millrace_query_api_rate_limit_failures_total',
    'Requests that were served without being counted, because counting failed.',
  )
  const labelOf = boundedLabel(DATASET_LABELS_MAX)
  let isFailing = false

  async function taken(identity: Identity, limits: readonly RateLimit[]) {
    try {
      const counters = identity.kind === 'address' ? addresses : known
      const answer = await counters.take(`${identity.kind}:${identity.id}`, limits)
      isFailing = false
      return answer
    } catch (error) {
      failed.add(1)
      if (!isFailing) logger.warn({ err: error }, 'Requests cannot be counted; they are served uncounted.')
      isFailing = true
      return null
    }
  }

  return {
    async take(identity, limitClass, path) {
      if (!enabled) return {}
      if (identity.kind === 'dataset' && isAllowed(identity.id)) {
        bypassed.add(1, { path })
        return {}
      }
      const limits: readonly RateLimit[] = RATE_LIMITS[limitClass]
      const answer = await taken(identity, limits)
      if (answer === null) return {}
      const states = limits.map((limit, at) => ({ limit, state: answer.states[at] as CounterState }))
      if (answer.admitted) return headersOf(tightest(states))
      const hit = longestWait(states.filter(({ state }) => state.remaining === 0))
      const dataset = identity.kind === 'dataset' ? labelOf(identity.id) : identity.kind
      exceeded.add(1, { dataset, scope: hit.limit.scope, path })
      throw throttled(identity, hit)
    },
  }
}

interface Counted {
  readonly limit: RateLimit
  readonly state: CounterState
}

/** The limit that will be reached first if things go on like this. */
function tightest(counted: readonly Counted[]): Counted {
  return counted.reduce((least, each) => (each.state.remaining < least.state.remaining ? each : least))
}

function longestWait(counted: readonly Counted[]): Counted {
  return counted.reduce((longest, each) => (each.state.freedInMs > longest.state.freedInMs ? each : longest))
}

function headersOf({ limit, state }: Counted): Readonly<Record<string, string>> {
  return {
    'ratelimit-limit': String(limit.requests),
    'ratelimit-remaining': String(state.remaining),
    'ratelimit-reset': String(Math.ceil(state.freedInMs / 1000)),
    'ratelimit-policy': `${limit.requests};w=${limit.windowMs / 1000};comment="${limit.scope}"`,
  }
}

/**
 * The sentence with the seconds is the one that existing clients read; what follows it says which limit it was, since
 * all keys of a dataset share it.
 */
function throttled(identity: Identity, hit: Counted): ApiError {
  const seconds = Math.max(1, Math.ceil(hit.state.freedInMs / 1000))
  const { requests, windowMs, scope } = hit.limit
  const whose = { dataset: 'all keys of this dataset together', key: 'this key', address: 'this address' }
  const detail = `Request was throttled. Expected available in ${seconds} seconds. The limit is ${requests} requests per ${windowMs === 60_000 ? 'minute' : 'hour'} (${scope}) for ${whose[identity.kind]}.`
  return new ApiError(
    429,
    { type: 'throttled_error', code: 'throttled', detail, attr: null },
    { ...headersOf(hit), 'retry-after': String(seconds) },
  )
}
