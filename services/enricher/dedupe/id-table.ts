import { KEY_BYTES } from '../../../schemas/dedupe/v1.ts'

/** Bytes of one slot: 16 key, 8 payload hash, 4 generation. */
export const SLOT_BYTES = 28
/** Fullest a segment gets, and how full it is made when it is laid out anew. */
const LOAD_MAX = 0.8
const LOAD_FRESH = 0.64
/** Most bytes that one remembered id takes once its segment is past its smallest size. */
export const ID_BYTES_MAX = SLOT_BYTES / LOAD_FRESH

const WORDS = SLOT_BYTES / 4
const SEGMENTS = 256
const SLOTS_MIN = 16
/** Share of slots in use below which a segment is laid out anew when its turn comes. */
const LOAD_SPARSE = 0.56
const GENERATION = 6

/**
 * Keys of 16 bytes with 8 bytes each, in typed arrays: 35 to 44 bytes per key, nothing for the garbage collector to
 * walk. Open addressing with linear probing in 256 segments by key, so that laying one out anew stops the process for
 * milliseconds even with millions of keys.
 *
 * Every key belongs to a generation, a number that only grows. Forgetting is by generation: those below the floor count
 * as absent at once, and their slots are used again or dropped when the segment is next laid out. Keys must be
 * uniformly distributed (they are hashes): their bits are used as they are.
 */
export interface IdTable {
  /** Makes room for `ids` in a table that holds none, so that taking them in lays nothing out anew. */
  reserve(ids: number): void
  /** Makes `find` and `isHeld` treat older generations as absent. */
  forgetBelow(generation: number): void
  /** Gives back memory of forgotten ids in the next `part` (0 to 1) of the table. */
  tighten(part: number): void
  /** The payload hash is equal, differs, or the key is not held. */
  find(key: Buffer, payload: Buffer): 'equal' | 'other' | 'absent'
  /**
   * Holds the key, or replaces what was held under it.
   *
   * @param at where in `view` the key stands, its payload hash behind it
   * @returns the generation that loses it: one below the floor when the key was forgotten and its slot is still as it
   *   was; null when nothing is known of the key
   */
  put(view: DataView, at: number, generation: number): number | null
  /** Bytes of the arrays. */
  readonly bytes: number
}

/** A segment before its first id: one empty slot, shared by all and never written to, as one id is more than its load. */
const NO_SLOTS = new Uint32Array(WORDS)

export function createIdTable(): IdTable {
  const segments: Uint32Array[] = new Array(SEGMENTS).fill(NO_SLOTS)
  /** Slots that are not empty, per segment, forgotten ones included. */
  const used = new Uint32Array(SEGMENTS)
  let floor = 1
  /** Segment that was tightened last. */
  let next = 0
  let bytes = 0

  function countLive(segment: Uint32Array): number {
    let live = 0
    for (let at = GENERATION; at < segment.length; at += WORDS) if (segment[at]! >= floor) live++
    return live
  }

  function layOut(index: number, live: number): void {
    const old = segments[index]!
    const slots = Math.max(SLOTS_MIN, Math.ceil((live + 1) / LOAD_FRESH))
    const fresh = new Uint32Array(slots * WORDS)
    for (let from = 0; from < old.length; from += WORDS) {
      if (old[from + GENERATION]! < floor) continue
      let at = slotOf(old[from]!, slots) * WORDS
      while (fresh[at + GENERATION] !== 0) at = at + WORDS === fresh.length ? 0 : at + WORDS
      for (let word = 0; word < WORDS; word++) fresh[at + word] = old[from + word]!
    }
    bytes += fresh.byteLength - (old === NO_SLOTS ? 0 : old.byteLength)
    segments[index] = fresh
    used[index] = live
  }

  return {
    reserve(ids) {
      const slots = Math.ceil(ids / SEGMENTS / LOAD_FRESH)
      if (slots <= SLOTS_MIN) return
      for (let index = 0; index < SEGMENTS; index++) segments[index] = new Uint32Array(slots * WORDS)
      bytes = SEGMENTS * slots * SLOT_BYTES
    },
    forgetBelow(generation) {
      if (generation > floor) floor = generation
    },
    tighten(part) {
      for (let turns = Math.ceil(part * SEGMENTS); turns > 0; turns--) {
        next = (next + 1) % SEGMENTS
        const slots = segments[next]!.length / WORDS
        const live = countLive(segments[next]!)
        if (slots > SLOTS_MIN && live < slots * LOAD_SPARSE) layOut(next, live)
      }
    },
    find(key, payload) {
      const a = key.readUInt32LE(0)
      const b = key.readUInt32LE(4)
      const c = key.readUInt32LE(8)
      const d = key.readUInt32LE(12)
      const segment = segments[d & 0xff]!
      let at = slotOf(a, segment.length / WORDS) * WORDS
      for (;;) {
        const generation = segment[at + GENERATION]!
        if (generation === 0) return 'absent'
        if (segment[at] === a && segment[at + 1] === b && segment[at + 2] === c && segment[at + 3] === d) {
          if (generation < floor) return 'absent'
          const equal =
            segment[at + 4] === payload.readUInt32LE(0) && segment[at + 5] === payload.readUInt32LE(4)
          return equal ? 'equal' : 'other'
        }
        at = at + WORDS === segment.length ? 0 : at + WORDS
      }
    },
    put(view, at, generation) {
      const d = view.getUint32(at + 12, true)
      const index = d & 0xff
      if (used[index]! + 1 > (segments[index]!.length / WORDS) * LOAD_MAX)
        layOut(index, countLive(segments[index]!))
      const segment = segments[index]!
      const a = view.getUint32(at, true)
      const b = view.getUint32(at + 4, true)
      const c = view.getUint32(at + 8, true)
      let slot = slotOf(a, segment.length / WORDS) * WORDS
      let free = -1
      let replaced: number | null = null
      for (;;) {
        const there = segment[slot + GENERATION]!
        if (there === 0) {
          if (free < 0) {
            free = slot
            used[index]!++
          }
          break
        }
        if (
          segment[slot] === a &&
          segment[slot + 1] === b &&
          segment[slot + 2] === c &&
          segment[slot + 3] === d
        ) {
          free = slot
          replaced = there
          break
        }
        // A forgotten slot may be used again, once it is sure that the key does not stand further on.
        if (there < floor && free < 0) free = slot
        slot = slot + WORDS === segment.length ? 0 : slot + WORDS
      }
      segment[free] = a
      segment[free + 1] = b
      segment[free + 2] = c
      segment[free + 3] = d
      segment[free + 4] = view.getUint32(at + KEY_BYTES, true)
      segment[free + 5] = view.getUint32(at + KEY_BYTES + 4, true)
      segment[free + GENERATION] = generation
      return replaced
    },
    get bytes() {
      return bytes
    },
  }
}

/** Maps 32 uniform bits onto `slots` without a division; the product stays exact in a double. */
function slotOf(hash: number, slots: number): number {
  return Math.floor((hash * slots) / 0x1_0000_0000)
}
