import type { EnrichedEvent } from '../../schemas/enriched-event/v1.ts'

/** People who come, look, buy and come back; the same for the same seed. */
export interface VisitsOptions {
  readonly people: number
  readonly seed: number
  readonly fromMs: number
  readonly days: number
}

export type Visited = Pick<EnrichedEvent, 'event' | 'distinct_id' | 'event_time' | 'url' | 'properties'>

const PAGES = ['', '/', '/pricing', '/docs/', '/blog'].map((path) => `https://shop.example${path}`)
const PLANS = ['free', 'pro', 'team']
const DAY_MS = 86_400_000
/** Of a hundred people, those who sign in at the beginning of some visit: from then on they have another id. */
const SIGNED_IN = 40

/** A linear congruential generator: enough for traffic, and no more than a multiplication. */
function sequence(seed: number): (below: number) => number {
  let state = (seed * 2_654_435_761) >>> 0
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/**
 * What they do, oldest first. Nobody does two things in one millisecond: which one came first has no answer then but the
 * order of their records.
 */
export function visits({ people, seed, fromMs, days }: VisitsOptions): Visited[] {
  const all = Array.from({ length: people }, (_, person) =>
    visitsOf(person, sequence(seed + person), fromMs, days),
  )
  return all.flat().sort((a, b) => (a.event_time < b.event_time ? -1 : a.event_time > b.event_time ? 1 : 0))
}

function visitsOf(person: number, below: (n: number) => number, fromMs: number, days: number): Visited[] {
  const starts = Array.from({ length: 1 + below(9) }, () => fromMs + below(days * DAY_MS - DAY_MS / 8)).sort(
    (a, b) => a - b,
  )
  const signsInAt = below(100) < SIGNED_IN ? below(starts.length) : Number.POSITIVE_INFINITY
  const plan = PLANS[below(PLANS.length)] as string
  const done: Visited[] = []
  let nowMs = 0
  const act = (
    event: string,
    pauseMs: number,
    properties: Record<string, unknown>,
    url: string | null = null,
  ) => {
    nowMs += pauseMs
    done.push({
      event,
      distinct_id: `${done.some((each) => each.event === '$identify') || event === '$identify' ? 'user' : 'anon'}-${person}`,
      event_time: new Date(nowMs).toISOString(),
      url,
      properties,
    })
  }
  for (const [visit, startMs] of starts.entries()) {
    nowMs = Math.max(startMs, nowMs)
    if (visit === signsInAt) act('$identify', 1, { $anon_distinct_id: `anon-${person}` })
    for (let left = 1 + below(9); left > 0; left--) {
      const pauseMs = 1 + below(400_000)
      const kind = below(10)
      if (kind < 7) act('$pageview', pauseMs, { plan }, PAGES[below(PAGES.length)])
      else if (kind < 9) act('add_to_cart', pauseMs, { plan })
      else act('purchase', pauseMs, { plan, amount: 1 + below(200) })
    }
  }
  return done
}
