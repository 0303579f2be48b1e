import { type ChaosEvent, chaosEvent } from './chaos-events.ts'
import type { Tally } from './tally.ts'

/** One place, and what is wrong with it; everything is 0 where the promise held. */
export interface PlaceVerdict {
  readonly place: string
  readonly found: number
  readonly lost: number
  readonly doubled: number
  /** There, but must not be. */
  readonly spurious: number
  readonly corrupted: number
}

/** Exactly so often, or at most once where nobody knows. */
export type Expected = 0 | 1 | 'unknown'

const FAULTS_NAMED_MAX = 20

/**
 * Holds what was found in a place against what must be there.
 *
 * @param sent     numbers below this were given out
 * @param expected how often an event must be there
 * @returns figures, and sentences: none where the place is right, else the first ones
 */
export function comparePlace(
  tally: Tally,
  seed: number,
  sent: number,
  expected: (event: ChaosEvent) => Expected,
): { readonly verdict: PlaceVerdict; readonly faults: readonly string[] } {
  const wrong = { lost: 0, doubled: 0, spurious: 0 }
  const faults = [...tally.faults]
  // Past what was sent there is nothing that could be expected.
  for (let seq = 0; seq < Math.max(sent, tally.end); seq++) {
    const found = tally.count(seq)
    const event = chaosEvent(seed, seq)
    const due = seq < sent ? expected(event) : 0
    const fault = faultOf(due, found)
    if (fault === null) continue
    wrong[fault.kind]++
    if (faults.length < FAULTS_NAMED_MAX)
      faults.push(
        `${tally.place}: event ${seq} (${event.kind} ${event.dataset}/${event.eventId}) ${fault.says}`,
      )
  }
  return { verdict: { place: tally.place, found: tally.total, ...wrong, corrupted: tally.faulty }, faults }
}

function faultOf(
  due: Expected,
  found: number,
): { readonly kind: 'lost' | 'doubled' | 'spurious'; readonly says: string } | null {
  if (due === 1 && found === 0) return { kind: 'lost', says: 'is missing' }
  if (found > 1) return { kind: 'doubled', says: `is there ${found} times` }
  return due === 0 && found > 0 ? { kind: 'spurious', says: 'must not be there' } : null
}
