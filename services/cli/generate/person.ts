import { BROWSERS, type Browser, PLACES } from './browsers.ts'
import { createRandom } from './random.ts'

/** Somebody who visits. Everything here stays the same from visit to visit and from run to run. */
export interface Person {
  readonly distinctId: string
  readonly anonymousId: string
  /** Set for people who have an account. */
  readonly userId: string | null
  readonly browser: Browser
  readonly ip: string
  readonly locale: string
  readonly timezone: string
  /** How far this person's clock is ahead of the truth, milliseconds. */
  readonly clockErrorMs: number
}

/** Clock errors that occur in the field: minutes of drift, a wrong zone, a dead battery, a year too far. */
export const CLOCK_ERRORS_MS = [-420_000, 95_000, 10_800_000, -86_400_000 * 400, 86_400_000 * 365] as const

/** @param skewedShare share of people whose clock is wrong, 0 to 1 */
export function personOf(seed: number, dataset: string, index: number, skewedShare: number): Person {
  const random = createRandom(seed, dataset, 'person', index)
  const place = random.weighted(PLACES)
  const anonymousId = `anon-${random.hex().slice(0, 16)}`
  const userId = random.chance(0.3) ? `user-${seed}-${index}` : null
  return {
    distinctId: userId ?? anonymousId,
    anonymousId,
    userId,
    browser: random.weighted(BROWSERS),
    ip: `${place.network}.${random.below(256)}.${1 + random.below(254)}`,
    locale: place.locale,
    timezone: place.timezone,
    clockErrorMs: random.chance(skewedShare) ? random.pick(CLOCK_ERRORS_MS) : 0,
  }
}
