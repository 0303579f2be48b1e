import { createHash } from 'node:crypto'
import type { Clock } from '../../services/core/runtime/clock.ts'

/** Taken before a run takes them away from everybody else. */
const macrotask = setImmediate

/** Turns that are asked for at once: between two of them the loop does not look for what files and sockets have to say. */
const TURNS_IN_A_ROW = 64

interface Event {
  readonly at: number
  readonly order: number
  readonly action: () => void
}

/**
 * Time and chance of one simulated history. Everything that happens is an event at a moment of virtual time; events of
 * the same moment happen in the order they were made. Whoever draws from `random` in events alone gets the same numbers
 * for the same seed, so a history can be told again exactly.
 */
export interface Kernel {
  /** Virtual time, ms since the history began. */
  readonly now: number
  readonly events: number
  readonly clock: Clock
  /** In [0, 1). */
  random(): number
  chance(probability: number): boolean
  between(least: number, most: number): number
  at(delayMs: number, action: () => void): void
  delay(ms: number): Promise<void>
  /** Lets events happen until `until` holds. @returns false when it did not within `limitMs` of virtual time */
  run(until: () => boolean, limitMs: number): Promise<boolean>
  /** Writes a line of what happened, for a person and for the hash. */
  note(text: string): void
  readonly trace: readonly string[]
  /** Two runs of a seed that differ anywhere differ here. */
  traceHash(): string
}

/** 2026-01-31T12:00:00Z: near enough to the end of a month for partitions by month to matter. */
export const EPOCH_MS = 1_769_860_800_000
/** Lines of the trace that are kept for reading; all of them are hashed. */
const TRACE_LINES_MAX = 20_000

export function createKernel(seed: number): Kernel {
  const queue = createQueue()
  const hash = createHash('sha256')
  const trace: string[] = []
  let [now, order, events] = [0, 0, 0]
  let state = seed >>> 0

  // mulberry32: small, and good enough to choose faults.
  const random = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const at = (delayMs: number, action: () => void): void => {
    queue.add({ at: now + Math.max(0, delayMs), order: order++, action })
  }
  const delay = (ms: number): Promise<void> => new Promise((resolve) => at(ms, resolve))

  /** @returns false when nothing happens until `end` */
  function nextEvent(end: number): boolean {
    const event = queue.next()
    if (!event) return false
    if (event.at > end) {
      queue.add(event)
      now = end
      return false
    }
    now = event.at
    events++
    event.action()
    return true
  }

  return {
    get now() {
      return now
    },
    get events() {
      return events
    },
    clock: {
      now: () => EPOCH_MS + Math.floor(now),
      monotonic: () => now,
      sleep: (ms, signal) =>
        new Promise((resolve) => {
          if (signal?.aborted) return resolve()
          at(ms, resolve)
          signal?.addEventListener('abort', () => resolve(), { once: true })
        }),
    },
    random,
    chance: (probability) => random() < probability,
    between: (least, most) => least + random() * (most - least),
    at,
    delay,
    run(until, limitMs) {
      const end = now + limitMs
      return new Promise((resolve, reject) => {
        let isOver = false
        const turn = (): void => {
          if (isOver) return
          try {
            const isReached = until()
            isOver = isReached || !nextEvent(end)
            if (isOver) resolve(isReached)
          } catch (error) {
            isOver = true
            reject(error)
          }
        }
        // Whatever follows from an event follows before the next one: microtasks never leave their turn.
        const turns = (): void => {
          for (let count = 0; count < TURNS_IN_A_ROW; count++) macrotask(turn)
          macrotask(() => isOver || turns())
        }
        turns()
      })
    },
    note(text) {
      const line = `${now.toFixed(3)} ${text}`
      hash.update(line)
      if (trace.length < TRACE_LINES_MAX) trace.push(line)
    },
    trace,
    traceHash: () => hash.copy().digest('hex'),
  }
}

/** A binary heap by time, then by order. */
function createQueue() {
  const heap: Event[] = []
  const before = (a: Event, b: Event) => a.at < b.at || (a.at === b.at && a.order < b.order)
  const swap = (a: number, b: number) => {
    const kept = heap[a] as Event
    heap[a] = heap[b] as Event
    heap[b] = kept
  }
  return {
    add(event: Event): void {
      heap.push(event)
      for (let at = heap.length - 1; at > 0; ) {
        const parent = (at - 1) >> 1
        if (!before(heap[at] as Event, heap[parent] as Event)) return
        swap(at, parent)
        at = parent
      }
    },
    next(): Event | undefined {
      const top = heap[0]
      const last = heap.pop()
      if (heap.length === 0 || last === undefined) return top
      heap[0] = last
      for (let at = 0; ; ) {
        const [left, right] = [2 * at + 1, 2 * at + 2]
        let least = at
        if (left < heap.length && before(heap[left] as Event, heap[least] as Event)) least = left
        if (right < heap.length && before(heap[right] as Event, heap[least] as Event)) least = right
        if (least === at) return top
        swap(at, least)
        at = least
      }
    },
  }
}
