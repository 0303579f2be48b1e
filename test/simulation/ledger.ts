import { RequestRefusal } from '../../services/collector/request-refusal.ts'
import type { Kernel } from './kernel.ts'
import type { Answer, Send } from './surroundings.ts'

/** What must become of an event that was accepted for certain. */
export type Kind = 'good' | 'broken' | 'conflict'

/** One event as its client knows it: the id, and a payload that is its own. */
export interface Sent {
  readonly dataset: string
  /** Stands in the payload as well. */
  readonly id: string
  /** Sent without an id: the collector makes one of the request's Idempotency-Key. */
  readonly keyed: boolean
  readonly kind: Kind
  readonly n: number
  /** `acked`: answered 2xx at least once. `unknown`: sent, and never answered for certain. `refused`: nothing of it was taken. */
  fate: 'acked' | 'unknown' | 'refused'
}

/** What clients sent and were told, and nothing else: only an acknowledged event is an obligation. */
export interface Ledger {
  readonly events: readonly Sent[]
  readonly isDone: boolean
  /** Sends events of every dataset, good ones and broken ones, to see that they go through. Call once. */
  sendFresh(datasets: readonly string[]): Promise<void>
}

/** Tries of one request before its client gives up. */
const TRIES_MAX = 6
/** Share of requests that a client sends again although they were answered. */
const REPEATED = 0.2
/** Fresh events of each dataset: enough for every partition to get some. */
const FRESH = 6
/** Some have kept it for a while, ms: far less than the dedupe window. */
const REPEATED_LATE_MS = 40_000

/**
 * Clients that send `count` requests of a few events each, over `overMs`: good ones, broken ones, ids used twice for
 * different payloads, the same id in two datasets, clocks that are wrong, and requests sent again.
 */
export function startClients(kernel: Kernel, send: Send, count: number, overMs: number): Ledger {
  const events: Sent[] = []
  let open = count
  const ledger = {
    events,
    get isDone() {
      return open === 0
    },
    async sendFresh(datasets: readonly string[]) {
      const batches = datasets.map((dataset) =>
        Array.from({ length: FRESH }, (_, index): Sent => {
          const kind: Kind = index % 2 === 0 ? 'good' : 'broken'
          return { dataset, id: `fresh-${index}`, keyed: false, kind, n: 2, fate: 'refused' }
        }),
      )
      events.push(...batches.flat())
      await Promise.all(batches.map(deliver))
    },
  }
  for (let request = 0; request < count; request++)
    kernel.at(kernel.between(0, overMs), () => {
      void sendRequest(request).then(() => {
        open--
      })
    })

  async function sendRequest(request: number): Promise<void> {
    const dataset = kernel.chance(0.5) ? 'shop' : 'blog'
    const keyed = kernel.chance(0.15)
    const batch: Sent[] = []
    const size = 1 + Math.floor(kernel.random() * 4)
    for (let index = 0; index < size; index++) {
      const id = `e${request}-${index}`
      const kind: Kind = kernel.chance(0.08) ? 'broken' : 'good'
      batch.push({ dataset, id, keyed, kind, n: Math.floor(kernel.random() * 4), fate: 'refused' })
    }
    // The same ids elsewhere are other events.
    const twin = kernel.chance(0.1)
      ? batch.map((each): Sent => ({ ...each, dataset: dataset === 'shop' ? 'blog' : 'shop' }))
      : []
    // Another payload under an id that is taken, sent once the first is in for certain.
    const conflicting =
      !keyed && kernel.chance(0.1) ? batch.filter(({ kind }) => kind === 'good').slice(0, 1) : []
    events.push(...batch, ...twin)
    await Promise.all([deliver(batch), deliver(twin)])
    const conflicts = conflicting
      .filter(({ fate }) => fate === 'acked')
      .map((each): Sent => ({ ...each, kind: 'conflict', n: each.n + CONFLICTING, fate: 'refused' }))
    events.push(...conflicts)
    await deliver(conflicts)
  }

  async function deliver(batch: readonly Sent[]): Promise<void> {
    const [first] = batch
    if (!first) return
    const body = JSON.stringify(batch.map(eventOf))
    let repeats = kernel.chance(REPEATED) ? 1 : 0
    for (let attempt = 0; attempt < TRIES_MAX; attempt++) {
      if (kernel.chance(0.02)) {
        // The connection breaks before anything was sent.
        await kernel.delay(kernel.between(10, 1_000))
        continue
      }
      const fate = fateOf(await send(first.dataset, body, first.keyed ? `key of ${first.id}` : undefined))
      for (const each of batch) each.fate = worse(each.fate, fate)
      if (fate === 'acked' && repeats-- === 0) return
      await kernel.delay(kernel.between(50, kernel.chance(0.3) ? REPEATED_LATE_MS : 3_000))
    }
  }
  return ledger
}

/** What the number of a payload gets that comes under an id which another one has. */
const CONFLICTING = 10
/** Visitors that nobody knows by name, as they come to events of anybody; and those who only pass by. */
const VISITORS = 5
const PASSERS_BY = 15

/** Payloads by their number: 0 shows somebody passing by, 1 says who a visitor is, 2 describes one, 3 somebody else. */
function eventOf({ id, keyed, kind, n }: Sent): object {
  // Another payload under a taken id is of the same person, or it would be another event.
  const says = n % CONFLICTING
  const request = Number(/\d+/.exec(id))
  const visitor = `visitor-${request % VISITORS}`
  const distinctIds = [`passer-by-${request % PASSERS_BY}`, `person-${id}`, visitor]
  const event = {
    ...(!keyed && { event_id: id }),
    distinct_id: distinctIds[says] ?? `person-${id}`,
    // Clocks of clients are anywhere; it is no business of delivery.
    timestamp: n === 3 ? '1970-01-01T00:00:00Z' : '2026-01-31T11:59:00Z',
    properties: {
      n,
      id,
      ...(says === 1 && { $anon_distinct_id: visitor }),
      ...(says > 0 && { $set: { [id]: n, last: n } }),
    },
  }
  return kind === 'broken' ? event : { event: says === 1 ? '$identify' : 'page_view', ...event }
}

function fateOf(answer: Answer): Sent['fate'] {
  if (answer === 'no answer') return 'unknown'
  if (answer instanceof RequestRefusal) return answer.code === 'unknown' ? 'unknown' : 'refused'
  return 'acked'
}

/** Once acknowledged is an obligation for ever; once unknown is never certain again. */
function worse(before: Sent['fate'], after: Sent['fate']): Sent['fate'] {
  if (before === 'acked' || after === 'acked') return 'acked'
  return before === 'unknown' || after === 'unknown' ? 'unknown' : 'refused'
}
