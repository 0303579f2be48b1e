import type { DedupeEntry } from '../../../schemas/dedupe/v1.ts'
import { createIdTable } from './id-table.ts'

/**
 * How many ids a process may remember, shared evenly by the partitions that it owns at the moment. A window that
 * finds itself above its share forgets its oldest ids with the next ones it takes in.
 */
export interface IdBudget {
  join(): void
  leave(): void
  /** Ids that one partition may hold now. */
  share(): number
}

export function createIdBudget(idsMax: number): IdBudget {
  let owners = 0
  return {
    join() {
      owners++
    },
    leave() {
      owners--
    },
    share: () => Math.max(1, Math.floor(idsMax / Math.max(1, owners))),
  }
}

/**
 * The events of one raw partition that count as known: those of the last `windowMs` of raw append time (its running
 * maximum, never the wall clock), fewer when the share of ids is used up.
 *
 * Ids are forgotten a slice at a time. A slice is a 24th of the window, aligned to the epoch, so that a new owner that
 * rebuilds from the changelog forgets the same ids at the same records; under pressure of the budget slices are
 * closed by count.
 */
export interface DedupeWindow {
  /** Highest raw append time seen, epoch ms; 0 before the first. */
  readonly appendTimeMax: number
  /** Unit in which ids are forgotten, ms. */
  readonly sliceMs: number
  /** Moves time forward and forgets what fell out of the window. */
  advance(appendTime: number): void
  find(key: Buffer, payload: Buffer): 'equal' | 'other' | 'absent'
  /**
   * Entries in the order in which they were taken in.
   *
   * @returns how many of them had been known and were forgotten: at least so many repetitions came too late to be
   *   recognised. Forgotten ids leave no trace once their place is used again, so there may have been more
   */
  add(entries: readonly DedupeEntry[]): number
  /** Ids forgotten since this was last asked: by age, and early, because the share of ids was used up. */
  takeForgotten(): { readonly expired: number; readonly early: number }
  readonly ids: number
  readonly bytes: number
  /** Time that the window really covers, ms: `windowMs` unless ids had to be forgotten early. */
  heldMs(): number
}

/** Slices per window. */
const SLICES = 24
/** A slice is closed early once it holds this part of the share, so that forgetting one never forgets nearly all. */
const SHARE_PARTS = 16

interface Slice {
  readonly generation: number
  readonly period: number
  lastTime: number
  ids: number
}

export function createDedupeWindow(windowMs: number, budget: IdBudget): DedupeWindow {
  const table = createIdTable()
  const sliceMs = Math.max(1, Math.ceil(windowMs / SLICES))
  const slices: Slice[] = []
  let generation = 0
  let ids = 0
  let appendTimeMax = 0
  /** Append time up to which ids were forgotten although the window still covered them. */
  let forgottenThrough: number | null = null

  let forgotten = { expired: 0, early: 0 }

  function forgetOldest(why: 'expired' | 'early'): void {
    const oldest = slices.shift() as Slice
    ids -= oldest.ids
    forgotten[why] += oldest.ids
    table.forgetBelow(oldest.generation + 1)
  }

  function forgetExpired(): void {
    // A slice goes when the whole of its period lies before the window.
    while (slices[0] && (slices[0].period + 1) * sliceMs <= appendTimeMax - windowMs) forgetOldest('expired')
  }

  function sliceFor(time: number): Slice {
    const period = Math.floor(time / sliceMs)
    const last = slices.at(-1)
    if (last && last.period >= period && last.ids < Math.ceil(budget.share() / SHARE_PARTS)) return last
    const slice = { generation: ++generation, period, lastTime: time, ids: 0 }
    slices.push(slice)
    return slice
  }

  return {
    sliceMs,
    get appendTimeMax() {
      return appendTimeMax
    },
    advance(appendTime) {
      if (appendTime <= appendTimeMax) return
      appendTimeMax = appendTime
      forgetExpired()
    },
    find: table.find,
    add(entries) {
      let exceeded = 0
      for (const { key, payload, time } of entries) {
        const slice = sliceFor(time)
        const lost = table.put(key, payload, slice.generation)
        if (lost !== null) {
          const loser = slices.find((candidate) => candidate.generation === lost)
          if (loser) {
            loser.ids--
            ids--
          } else exceeded++
        }
        slice.ids++
        slice.lastTime = Math.max(slice.lastTime, time)
        ids++
        while (ids > budget.share() && slices.length > 1) {
          forgottenThrough = (slices[0] as Slice).lastTime
          forgetOldest('early')
        }
      }
      return exceeded
    },
    takeForgotten() {
      const taken = forgotten
      forgotten = { expired: 0, early: 0 }
      return taken
    },
    get ids() {
      return ids
    },
    get bytes() {
      return table.bytes
    },
    heldMs: () =>
      forgottenThrough === null ? windowMs : Math.min(windowMs, appendTimeMax - forgottenThrough),
  }
}
