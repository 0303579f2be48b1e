import { createClient } from '@redis/client'
import type { Logger } from '../../core/runtime/logger.ts'
import type { CounterState, RateCounters } from './rate-counters.ts'

/** Longest wait for an answer, ms. A request whose count takes longer is served uncounted. */
export const COUNT_TIMEOUT_MS = 250
const CONNECT_TIMEOUT_MS = 2_000
const RECONNECT_DELAY_MAX_MS = 5_000

/**
 * A list of times for each counter, oldest first. All counters of a request are looked at before any is written, in one
 * script, which nothing runs beside. The server's clock is used where no time is given, so that processes need not agree
 * on one.
 *
 * KEYS the counters; ARGV the time in ms or '', then requests and window (ms) of each.
 * Returns 1 or 0 for admitted, then count and oldest time (or -1) of each, then the time.
 */
const TAKE = `
local now = tonumber(ARGV[1])
if now == nil then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local admitted = 1
for i, key in ipairs(KEYS) do
  local requests, window = tonumber(ARGV[2 * i]), tonumber(ARGV[2 * i + 1])
  local oldest = redis.call('LINDEX', key, 0)
  while oldest and tonumber(oldest) <= now - window do
    redis.call('LPOP', key)
    oldest = redis.call('LINDEX', key, 0)
  end
  if redis.call('LLEN', key) >= requests then admitted = 0 end
end
local answer = { admitted }
for i, key in ipairs(KEYS) do
  if admitted == 1 then
    redis.call('RPUSH', key, string.format('%.0f', now))
    redis.call('PEXPIRE', key, ARGV[2 * i + 1])
  end
  answer[#answer + 1] = redis.call('LLEN', key)
  answer[#answer + 1] = tonumber(redis.call('LINDEX', key, 0) or -1)
end
answer[#answer + 1] = now
return answer
`

export interface RedisCounterOptions {
  /** Before every key, for a server that others use too. */
  readonly prefix?: string
  /** The time to count by; left out, the server's own. */
  readonly nowMs?: () => number
  readonly timeoutMs?: number
}

/** Counters that processes share, in Redis or Valkey. Connects in the background, again and again. */
export function openRedisRateCounters(
  url: string,
  logger: Logger,
  { prefix = 'millrace:rate', nowMs, timeoutMs = COUNT_TIMEOUT_MS }: RedisCounterOptions = {},
): RateCounters & { readonly connected: Promise<unknown> } {
  const client = createClient({
    url,
    // What cannot be counted now is served now.
    disableOfflineQueue: true,
    socket: {
      connectTimeout: CONNECT_TIMEOUT_MS,
      reconnectStrategy: (retries) => Math.min(100 * 2 ** Math.min(retries, 10), RECONNECT_DELAY_MAX_MS),
    },
  })
  let isFailing = false
  client.on('error', (error: Error) => {
    if (!isFailing) logger.warn({ err: error }, 'Redis, which counts requests, does not answer.')
    isFailing = true
  })
  client.on('ready', () => {
    isFailing = false
  })
  const connected = client.connect()
  connected.catch(() => {})
  return {
    connected,
    async take(identity, limits) {
      // Braces: the counters of one identity lie on one node of a cluster.
      const keys = limits.map(({ scope }) => `${prefix}:{${identity}}:${scope}`)
      const sizes = limits.flatMap(({ requests, windowMs }) => [String(requests), String(windowMs)])
      const asked = client.eval(TAKE, {
        keys,
        arguments: [nowMs === undefined ? '' : String(nowMs()), ...sizes],
      })
      const [admitted, ...rest] = (await within(timeoutMs, asked)) as number[]
      const now = rest[rest.length - 1] as number
      return {
        admitted: admitted === 1,
        states: limits.map(({ requests, windowMs }, at): CounterState => {
          const [count, oldest] = rest.slice(2 * at, 2 * at + 2) as [number, number]
          return {
            remaining: Math.max(0, requests - count),
            freedInMs: oldest < 0 ? 0 : oldest + windowMs - now,
          }
        }),
      }
    },
    close: async () => client.destroy(),
  }
}

function within<T>(ms: number, answer: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>()
  const timer = setTimeout(() => late.reject(new Error(`Redis did not answer within ${ms} ms.`)), ms)
  answer.catch(() => {})
  return Promise.race([answer, late.promise]).finally(() => clearTimeout(timer))
}
