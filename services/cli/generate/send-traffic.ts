import type { Clock } from '../../core/runtime/clock.ts'
import { type SendEnvironment, type SendPolicy, sendBatch } from '../ingest/send-batch.ts'
import type { Ledger } from './ledger.ts'
import type { TrafficRequest } from './traffic.ts'

export interface SendTrafficOptions {
  /** Write key per dataset. */
  readonly keys: ReadonlyMap<string, string>
  readonly concurrency: number
  /** Events per second over all datasets; null for as fast as it goes. */
  readonly eventsPerSecond: number | null
  readonly policy: SendPolicy
}

/**
 * Sends every request and books every answer. Requests are drawn from the model only when a sender is free, so
 * memory does not grow with the traffic. A repetition follows its own acknowledged request. Returns when all is
 * answered, or soon after the signal aborted.
 */
export async function sendTraffic(
  env: SendEnvironment,
  requests: Iterator<TrafficRequest, void, undefined>,
  ledger: Ledger,
  options: SendTrafficOptions,
): Promise<void> {
  const pace = createPace(env.clock, options.eventsPerSecond)
  const sender = async () => {
    while (!env.signal.aborted) {
      const next = requests.next()
      if (next.done) return
      const request = next.value
      await pace(request.events, env.signal)
      const headers = {
        authorization: `Bearer ${options.keys.get(request.dataset)}`,
        'idempotency-key': request.idempotencyKey,
      }
      const send = () => sendBatch(env, options.policy, request.body, headers, request.events)
      const outcome = await send()
      ledger.sent(request, outcome)
      if (request.sendTwice && outcome.kind === 'acknowledged') ledger.repeated(request, await send())
    }
  }
  await Promise.all(Array.from({ length: options.concurrency }, sender))
}

/** Holds senders back so that events leave at the given rate, counted from the first one. */
function createPace(clock: Clock, eventsPerSecond: number | null) {
  const startMs = clock.monotonic()
  let events = 0
  return async (count: number, signal: AbortSignal): Promise<void> => {
    if (eventsPerSecond === null) return
    const dueMs = startMs + (events / eventsPerSecond) * 1000
    events += count
    const earlyMs = dueMs - clock.monotonic()
    if (earlyMs > 0) await clock.sleep(earlyMs, signal)
  }
}
