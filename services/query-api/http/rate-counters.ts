import type { RateLimit } from './rate-limits.ts'

/** How full a counter is. */
export interface CounterState {
  /** Requests that are still free, after this one. */
  readonly remaining: number
  /** Until one more is free, ms: 0 when nothing is counted. */
  readonly freedInMs: number
}

export interface Taken {
  /** Whether the request may be served. One that may not is counted nowhere. */
  readonly admitted: boolean
  /** In the order of the limits. */
  readonly states: readonly CounterState[]
}

/**
 * Counts requests in sliding windows: one that was served at t counts while now < t + window. A request is admitted by
 * the counters of all the limits, or by none. May be asked in parallel.
 */
export interface RateCounters {
  /** Rejects when the counters cannot be reached, within a short bounded time. */
  take(identity: string, limits: readonly RateLimit[]): Promise<Taken>
  close(): Promise<void>
}
