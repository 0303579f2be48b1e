import { ENTRY_BYTES, entryTime } from '../../../schemas/dedupe/v1.ts'
import { createIdTable } from './id-table.ts'

/** What a budget may ask of a window that shares it. */
interface IdHolder {
  readonly ids: number
  /** How far the oldest ids lie behind the window's own time, ms; null when it holds none. */
  reach(): number | null
  forgetOldest(): void
}

/**
 * How many ids a process may remember, all its partitions together; never one more. When they are used up, the window
 * that reaches back furthest forgets its oldest: a busy partition gets more of them than a quiet one, and all windows
 * get shorter alike. Each reaches back from its own time, so that neither a partition that lags nor a broker whose clock
 * is wrong gives way to the others.
 */
export interface IdBudget {
  join(holder: IdHolder): void
  /** Gives back everything that the holder holds. */
  leave(holder: IdHolder): void
  /** Counts one id more, and makes room for it where there is none. */
  take(): void
  giveBack(ids: number): void
  /** An even share among the windows that are there. */
  share(): number
  /** What a window may count on: an even share, less where not so much is left. */
  room(): number
}

/** A slice is closed once it holds this part of an even share, so that forgetting one never forgets nearly all. */
const SHARE_PARTS = 16

export function createIdBudget(idsMax: number): IdBudget {
  const holders = new Set<IdHolder>()
  let held = 0
  const share = () => Math.ceil(idsMax / Math.max(1, holders.size))

  function forgetOldest(): void {
    let furthest: IdHolder | null = null
    let reach = Number.NEGATIVE_INFINITY
    for (const holder of holders) {
      const its = holder.reach()
      if (its === null || its < reach || (its === reach && holder.ids <= (furthest?.ids ?? 0))) continue
      furthest = holder
      reach = its
    }
    furthest?.forgetOldest()
  }

  return {
    join(holder) {
      holders.add(holder)
    },
    leave(holder) {
      if (holders.delete(holder)) held -= holder.ids
    },
    take() {
      while (held >= idsMax) forgetOldest()
      held++
    },
    giveBack(ids) {
      held -= ids
    },
    share,
    room: () => Math.min(share(), idsMax - held),
  }
}

/**
 * The events of one raw partition that count as known: those of the last `windowMs` of raw append time (its running
 * maximum, never the wall clock), fewer when the ids of the process are used up.
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
  /** Takes memory for so many ids, or for as many as it may count on, while it holds none: nothing has to grow then. */
  reserve(ids: number): void
  /** Moves time forward and forgets what fell out of the window. */
  advance(appendTime: number): void
  find(key: Buffer, payload: Buffer): 'equal' | 'other' | 'absent'
  /**
   * Takes entries in, in their order.
   *
   * @param entries as `packEntries` lays them out
   * @returns how many of them had been known and were forgotten: at least so many repetitions came too late to be
   *   recognised. Forgotten ids leave no trace once their place is used again, so there may have been more
   */
  add(entries: Buffer): number
  /** Ids forgotten since this was last asked: by age, and early, because the ids were used up. */
  takeForgotten(): { readonly expired: number; readonly early: number }
  readonly ids: number
  readonly bytes: number
  /** Time that the window really covers, ms: `windowMs` unless ids had to be forgotten early. */
  heldMs(): number
  /** Gives its ids back to the budget. Nothing may be asked of it afterwards. */
  close(): void
}

/** Slices per window. */
const SLICES = 24

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

  function forget(why: 'expired' | 'early'): void {
    const oldest = slices.shift() as Slice
    const before = ids
    ids -= oldest.ids
    forgotten[why] += oldest.ids
    budget.giveBack(oldest.ids)
    table.forgetBelow(oldest.generation + 1)
    // As much of the table as there was of the slice: memory follows what is held, and no call lays out all of it.
    if (before > 0) table.tighten(oldest.ids / before)
  }

  function forgetExpired(): void {
    // A slice goes when the whole of its period lies before the window.
    while (slices[0] && (slices[0].period + 1) * sliceMs <= appendTimeMax - windowMs) forget('expired')
  }

  function sliceFor(time: number): Slice {
    const period = Math.floor(time / sliceMs)
    const last = slices.at(-1)
    if (last && last.period >= period && last.ids < Math.ceil(budget.share() / SHARE_PARTS)) return last
    const slice = { generation: ++generation, period, lastTime: time, ids: 0 }
    slices.push(slice)
    return slice
  }

  const holder: IdHolder = {
    get ids() {
      return ids
    },
    reach: () => (slices[0] ? appendTimeMax - slices[0].lastTime : null),
    forgetOldest() {
      forgottenThrough = (slices[0] as Slice).lastTime
      forget('early')
    },
  }
  budget.join(holder)

  return {
    sliceMs,
    reserve: (ids) => table.reserve(Math.min(ids, budget.room())),
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
      const view = new DataView(entries.buffer, entries.byteOffset, entries.length)
      let exceeded = 0
      for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
        const time = entryTime(view, at)
        budget.take()
        const slice = sliceFor(time)
        const lost = table.put(view, at, slice.generation)
        slice.ids++
        slice.lastTime = Math.max(slice.lastTime, time)
        ids++
        if (lost === null) continue
        const loser = slices.find((candidate) => candidate.generation === lost)
        if (loser) {
          loser.ids--
          ids--
          budget.giveBack(1)
        } else exceeded++
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
    close: () => budget.leave(holder),
  }
}
