/**
 * The most that one may get so that everybody gets either what he asks for or as much as anyone else (max-min
 * fairness). Infinity when there is enough for all.
 */
export function fairLevel(demands: readonly number[], capacity: number): number {
  let left = capacity
  let askers = demands.length
  for (const demand of [...demands].sort((a, b) => a - b)) {
    if (demand * askers > left) return left / askers
    left -= demand
    askers--
  }
  return Number.POSITIVE_INFINITY
}

/** How much each asks for and gets, as rates that forget: what happened a second ago counts a third of what happens now. */
export interface FairShare {
  asked(who: string, events: number, nowMs: number): void
  got(who: string, events: number, nowMs: number): void
  /** Has he lately got clearly less than the level? */
  isBelowLevel(who: string, nowMs: number): boolean
  /** Does he ask for as much as the others on average, or more? True for whoever is alone. */
  isAmongGreatest(who: string, nowMs: number): boolean
}

/** Memory of the rates, ms. */
const MEMORY_MS = 1_000
/** How often the level is worked out anew at most, ms. */
const LEVEL_EVERY_MS = 50
/** "Clearly": whoever stands at the level itself would flicker. */
const BELOW = 0.9
/** Events per second under which one is forgotten. */
const FORGOTTEN = 0.01

class Rate {
  #value = 0
  #atMs: number
  constructor(nowMs: number) {
    this.#atMs = nowMs
  }
  perSecond(nowMs: number): number {
    if (nowMs > this.#atMs) {
      this.#value *= Math.exp((this.#atMs - nowMs) / MEMORY_MS)
      this.#atMs = nowMs
    }
    return (this.#value * 1000) / MEMORY_MS
  }
  add(count: number, nowMs: number): void {
    this.perSecond(nowMs)
    this.#value += count
  }
}

/** @param capacity events per second for all together; Infinity when there is no bound */
export function createFairShare(capacity: number): FairShare {
  const everybody = new Map<string, { readonly asked: Rate; readonly got: Rate }>()
  let level = Number.POSITIVE_INFINITY
  let meanAsked = 0
  let workedOutMs = Number.NEGATIVE_INFINITY

  function of(who: string, nowMs: number) {
    let found = everybody.get(who)
    if (!found) {
      found = { asked: new Rate(nowMs), got: new Rate(nowMs) }
      everybody.set(who, found)
    }
    return found
  }

  function workOut(nowMs: number): void {
    if (nowMs - workedOutMs < LEVEL_EVERY_MS) return
    workedOutMs = nowMs
    const demands: number[] = []
    for (const [who, { asked }] of everybody) {
      const demand = asked.perSecond(nowMs)
      if (demand < FORGOTTEN) everybody.delete(who)
      else demands.push(demand)
    }
    level = fairLevel(demands, capacity)
    meanAsked = demands.reduce((sum, demand) => sum + demand, 0) / Math.max(1, demands.length)
  }

  return {
    asked: (who, events, nowMs) => of(who, nowMs).asked.add(events, nowMs),
    got: (who, events, nowMs) => of(who, nowMs).got.add(events, nowMs),
    isBelowLevel(who, nowMs) {
      workOut(nowMs)
      return of(who, nowMs).got.perSecond(nowMs) < level * BELOW
    },
    isAmongGreatest(who, nowMs) {
      workOut(nowMs)
      return of(who, nowMs).asked.perSecond(nowMs) >= meanAsked * BELOW
    },
  }
}
