/** So many requests within any stretch of time of this length. */
export interface RateLimit {
  /** Name of the counter; limits of different routes that share one count together. */
  readonly scope: string
  readonly requests: number
  readonly windowMs: number
}

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000

const CLICKHOUSE_BURST: RateLimit = { scope: 'clickhouse_burst', requests: 240, windowMs: MINUTE_MS }

/**
 * What a route may be asked. Those that reach ClickHouse have limits of their own *instead of* the default ones; persons
 * and queries share their burst and have an hour of their own.
 */
export const RATE_LIMITS = {
  default: [
    { scope: 'burst', requests: 480, windowMs: MINUTE_MS },
    { scope: 'sustained', requests: 4_800, windowMs: HOUR_MS },
  ],
  clickhouse: [CLICKHOUSE_BURST, { scope: 'clickhouse_sustained', requests: 1_200, windowMs: HOUR_MS }],
  query: [CLICKHOUSE_BURST, { scope: 'query', requests: 2_400, windowMs: HOUR_MS }],
  persons: [CLICKHOUSE_BURST, { scope: 'persons', requests: 1_200, windowMs: HOUR_MS }],
} as const satisfies Readonly<Record<string, readonly RateLimit[]>>

export type LimitClass = keyof typeof RATE_LIMITS
