import type { Clock } from './clock.ts'
import { type DependencyError, isDependencyError } from './errors.ts'

export interface RetryPolicy {
  /** First pause; each later one doubles up to `maxDelayMs`, full jitter. */
  readonly baseDelayMs: number
  readonly maxDelayMs: number
  /** Tries in all; Infinity to go on until the signal aborts. */
  readonly attempts: number
}

/** For what a partition cannot go on without: keeps trying, ever more slowly, until the process is told to stop. */
export const PATIENT: RetryPolicy = {
  baseDelayMs: 200,
  maxDelayMs: 15_000,
  attempts: Number.POSITIVE_INFINITY,
}
/** For what was denied: as often as somebody may have mended it, and so seldom that it looks like no attack. */
export const DENIED: RetryPolicy = {
  baseDelayMs: 2_000,
  maxDelayMs: 60_000,
  attempts: Number.POSITIVE_INFINITY,
}
/** For what a caller waits for: a handful of quick tries, then the error. */
export const BRIEF: RetryPolicy = { baseDelayMs: 100, maxDelayMs: 2_000, attempts: 5 }

export interface RetryEnvironment {
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly signal?: AbortSignal
  /** Told of every failed try that will be repeated. */
  readonly onRetry?: (error: DependencyError, attempt: number, delayMs: number) => void
}

/**
 * Runs `attempt` until it succeeds, fails with something that is not a retriable {@link DependencyError}, the
 * policy's tries are used up or the signal aborts; then rethrows the last error unchanged.
 */
export async function retry<T>(
  policy: RetryPolicy,
  env: RetryEnvironment,
  attempt: (n: number) => Promise<T>,
): Promise<T> {
  for (let n = 1; ; n++) {
    try {
      return await attempt(n)
    } catch (error) {
      if (!isDependencyError(error) || !error.retriable || n >= policy.attempts || env.signal?.aborted)
        throw error
      const ceiling = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** Math.min(n - 1, 30))
      const delayMs = Math.round(ceiling * env.random())
      env.onRetry?.(error, n, delayMs)
      await env.clock.sleep(delayMs, env.signal)
      if (env.signal?.aborted) throw error
    }
  }
}
