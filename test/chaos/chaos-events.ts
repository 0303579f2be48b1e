import { createHash } from 'node:crypto'
import { DEMO_KEYS } from '../../services/cli/demo/demo-traffic.ts'

/**
 * The events of a run. Each is a pure function of seed and number, so that neither who sends them nor who counts them
 * has to remember one. The number stands in the payload (`properties.seq`) and so identifies it wherever it arrives.
 */
export interface ChaosEvent {
  readonly seq: number
  readonly dataset: DatasetId
  readonly eventId: string
  /** Null in a broken event: the collector refuses it inside of its request. */
  readonly event: string | null
  readonly distinctId: string
  readonly amount: number
  /**
   * `conflict`: another payload under the id of the event {@link EARLIER} before it. `foreign`: that id in the other
   * dataset, which is an event of its own.
   */
  readonly kind: 'plain' | 'broken' | 'conflict' | 'foreign'
}

export type DatasetId = 'shop' | 'blog'

/** How far back the event lies whose id is used again. */
export const EARLIER = 2_000
const PEOPLE = 500
/** One in so many events, by its number, says something of its person: a divisor of {@link EARLIER}, for ids that come again. */
const STATEMENT_EVERY = 8
const NAMES = ['page_view', 'page_view', 'page_view', 'click', 'purchase'] as const

export const WRITE_KEYS: Readonly<Record<DatasetId, string>> = {
  shop: DEMO_KEYS.shop.write,
  blog: DEMO_KEYS.blog.write,
}

/** A number in [0, 2³²) that follows from the two. */
function mix(seed: number, n: number): number {
  let x = Math.imul(seed ^ 0x9e3779b9, 0x85ebca6b) ^ Math.imul(n + 1, 0xc2b2ae35)
  x = Math.imul(x ^ (x >>> 16), 0x7feb352d)
  x = Math.imul(x ^ (x >>> 15), 0x846ca68b)
  return (x ^ (x >>> 16)) >>> 0
}

export function chaosEvent(seed: number, seq: number): ChaosEvent {
  const drawn = mix(seed, seq)
  const share = drawn % 1000
  const plain: ChaosEvent = {
    seq,
    dataset: (drawn >>> 10) % 3 === 0 ? 'blog' : 'shop',
    eventId: `c${seed}-${seq}`,
    event: NAMES[(drawn >>> 12) % NAMES.length] as string,
    distinctId: `person-${(drawn >>> 4) % PEOPLE}`,
    amount: drawn % 100,
    kind: 'plain',
  }
  if (share < 20) return { ...plain, kind: 'broken', event: null }
  if (share >= 40 || seq < EARLIER) return plain
  const earlier = chaosEvent(seed, seq - EARLIER)
  if (earlier.kind !== 'plain') return plain
  const { eventId, distinctId, dataset } = earlier
  if (share < 30) return { ...plain, kind: 'conflict', eventId, distinctId, dataset }
  return { ...plain, kind: 'foreign', eventId, distinctId, dataset: dataset === 'shop' ? 'blog' : 'shop' }
}

/** Whether the event describes its person, where it is accepted. */
export function isStatement({ seq }: Pick<ChaosEvent, 'seq'>): boolean {
  return seq % STATEMENT_EVERY === 0
}

/** The number that an id was made for; ids that come again keep the first one’s. */
export function numberOf(seed: number, eventId: string): number {
  return Number(eventId.slice(`c${seed}-`.length))
}

/** What vouches for the payload: no other event has it. */
export function checkOf(seed: number, { seq, dataset, eventId }: ChaosEvent): string {
  return checkText(`${seed}/${seq}/${dataset}/${eventId}`)
}

/** A text that follows from another one and that nothing else has. */
export function checkText(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 16)
}

/** As the client sends it: some clients' clocks are wrong by years. */
export function bodyOf(seed: number, event: ChaosEvent, nowMs: number): object {
  const skew = mix(seed ^ 0x5bd1e995, event.seq) % 50
  const clientMs =
    skew === 0 ? 0 : skew === 1 ? nowMs + 400 * 86_400_000 : skew === 2 ? nowMs - 86_400_000 : nowMs
  const payload = { seq: event.seq, check: checkOf(seed, event), amount: event.amount }
  return {
    ...(event.event === null ? {} : { event: event.event }),
    event_id: event.eventId,
    distinct_id: event.distinctId,
    timestamp: new Date(clientMs).toISOString(),
    properties: {
      ...payload,
      ...(isStatement(event) && { $set: payload }),
      text: `ordinary words of event ${event.seq} `.repeat(4),
    },
  }
}
