import type { Clock } from '../../core/runtime/clock.ts'
import type { Post, PostAnswer } from './http-post.ts'

/** What became of one request, all its tries together. */
export interface BatchOutcome {
  /**
   * `acknowledged`: answered 2xx, with a verdict per event. `refused`: answered 4xx, nothing was taken.
   * `unknown`: given up without an answer that says so; each event is there or not.
   */
  readonly kind: 'acknowledged' | 'refused' | 'unknown'
  /** Of the acknowledging answer. */
  readonly accepted: number
  /** Events refused inside the acknowledged request, by code. */
  readonly rejected: Readonly<Record<string, number>>
  /** Earlier tries whose outcome is not known: each may have been taken, so this one may be a repetition. */
  readonly triesUnknown: number
  /** Tries that were answered "later" and took nothing: 429 and 503 `not_taken`. */
  readonly triesNotTaken: number
  /** What the last answer or failure said; '' for a clean acknowledgement. */
  readonly detail: string
}

export interface SendEnvironment {
  readonly post: Post
  readonly clock: Clock
  /** In [0, 1). */
  readonly random: () => number
  readonly signal: AbortSignal
}

export interface SendPolicy {
  /** Tries that failed or had an unknown outcome, before giving up. Being told "later" does not count. */
  readonly triesMax: number
  readonly baseDelayMs: number
  readonly maxDelayMs: number
}

export const SEND_POLICY: SendPolicy = { triesMax: 12, baseDelayMs: 200, maxDelayMs: 10_000 }

/**
 * Sends one request until it is answered for good, always with the same body and the same Idempotency-Key, so that
 * a repetition is recognised as one. Waits as long as Retry-After asks. Never throws; an abort ends it as `unknown`
 * when a try is in doubt, else as `refused` with nothing taken.
 *
 * @param headers the key and the Idempotency-Key
 * @param events  how many events the body holds
 */
export async function sendBatch(
  env: SendEnvironment,
  policy: SendPolicy,
  body: string,
  headers: Readonly<Record<string, string>>,
  events: number,
): Promise<BatchOutcome> {
  let triesUnknown = 0
  let triesNotTaken = 0
  let failures = 0
  let detail = ''
  while (!env.signal.aborted) {
    let waitMs: number | null = null
    try {
      const answer = await env.post(body, headers)
      const said = describe(answer)
      if (answer.status >= 200 && answer.status < 300) {
        const verdicts = readVerdicts(answer.body, events)
        if (verdicts !== null)
          return { kind: 'acknowledged', ...verdicts, triesUnknown, triesNotTaken, detail: '' }
        return {
          ...NOTHING,
          kind: 'unknown',
          triesUnknown,
          triesNotTaken,
          detail: `unreadable verdicts: ${said}`,
        }
      }
      detail = said
      waitMs = answer.retryAfterMs
      if (answer.status === 429 || (answer.status === 503 && answer.body.includes('not_taken')))
        triesNotTaken++
      else if (answer.status >= 500 || answer.status === 408) {
        triesUnknown++
        failures++
      } else return { ...NOTHING, kind: 'refused', triesUnknown, triesNotTaken, detail }
    } catch (error) {
      // No answer: the request may have been taken in whole.
      detail = (error as Error).message
      triesUnknown++
      failures++
    }
    if (failures >= policy.triesMax) break
    const ceilingMs = Math.min(policy.maxDelayMs, policy.baseDelayMs * 2 ** Math.min(failures, 16))
    await env.clock.sleep(waitMs ?? Math.round(ceilingMs * (0.5 + env.random() / 2)), env.signal)
  }
  return { ...NOTHING, kind: triesUnknown > 0 ? 'unknown' : 'refused', triesUnknown, triesNotTaken, detail }
}

const NOTHING = { accepted: 0, rejected: {} } as const

function describe(answer: PostAnswer): string {
  return `HTTP ${answer.status} ${answer.body.slice(0, 300).replace(/\s+/g, ' ')}`.trim()
}

/** Null when the body is not a verdict list of that many events. */
function readVerdicts(
  body: string,
  events: number,
): { accepted: number; rejected: Record<string, number> } | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(body)
  } catch {
    return null
  }
  const results = (parsed as { results?: unknown } | null)?.results
  if (!Array.isArray(results) || results.length !== events) return null
  let accepted = 0
  const rejected: Record<string, number> = {}
  for (const verdict of results as { status?: unknown; code?: unknown }[]) {
    if (verdict?.status === 'rejected') {
      const code = String(verdict.code ?? 'unnamed')
      rejected[code] = (rejected[code] ?? 0) + 1
    } else accepted++
  }
  return { accepted, rejected }
}
