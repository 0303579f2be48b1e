/** What is asked about a chunk, counted once. */
export interface ChunkSummary {
  /** Of its rrweb events, epoch ms. */
  readonly firstMs: number
  readonly lastMs: number
  readonly clicks: number
  readonly keypresses: number
  /** Epoch seconds within which the visitor did something, each once, ascending. */
  readonly active: readonly number[]
  /** Empty when no page begins in it. */
  readonly firstUrl: string
  readonly consoleLogs: number
  readonly consoleWarns: number
  readonly consoleErrors: number
}

/** Numbers of rrweb's events. @see https://github.com/rrweb-io/rrweb/blob/master/packages/types/src/index.ts */
const TYPE = { incremental: 3, meta: 4, plugin: 6 } as const
const SOURCE = {
  mouseMove: 1,
  mouseInteraction: 2,
  scroll: 3,
  viewportResize: 4,
  input: 5,
  touchMove: 6,
  mediaInteraction: 7,
  drag: 12,
} as const
const ACTIVE_SOURCES: ReadonlySet<unknown> = new Set(Object.values(SOURCE))
const CLICK = 2
const CONSOLE_PLUGIN = 'rrweb/console@1'

const URL_LENGTH_MAX = 2_000
const DAY_MS = 86_400_000
const DAY_SECONDS = 86_400

type Members = Readonly<Record<string, unknown>>

/**
 * Counts what happened in a chunk. A touch that becomes a click is one click, and so is each half of a double click, as
 * browsers report them. What a recorder compressed inside of an event cannot be looked into, and counts for nothing.
 *
 * Times are the client's, which the player needs. Where they are further than a day from the chunk's arrival, that clock
 * is wrong: the chunk is moved so that it ends with its arrival, or no list by date would ever find it.
 *
 * @param events          rrweb events, checked by the collector: objects with `type` and `timestamp`
 * @param collectorTimeMs when they arrived, epoch ms
 */
export function summarizeChunk(events: readonly unknown[], collectorTimeMs: number): ChunkSummary {
  const active = new Set<number>()
  let [first, last] = [Number.POSITIVE_INFINITY, 0]
  let [clicks, keypresses, consoleLogs, consoleWarns, consoleErrors] = [0, 0, 0, 0, 0]
  let firstUrl = ''
  for (const event of events as readonly Members[]) {
    const ms = event.timestamp as number
    first = Math.min(first, ms)
    last = Math.max(last, ms)
    const data = membersOf(event.data)
    if (event.type === TYPE.incremental) {
      if (data.source === SOURCE.mouseInteraction && data.type === CLICK) clicks++
      if (data.source === SOURCE.input) keypresses++
      if (ACTIVE_SOURCES.has(data.source) && active.size < DAY_SECONDS) active.add(Math.floor(ms / 1000))
    } else if (event.type === TYPE.meta && firstUrl === '') {
      if (typeof data.href === 'string') firstUrl = data.href.slice(0, URL_LENGTH_MAX).toWellFormed()
    } else if (event.type === TYPE.plugin && data.plugin === CONSOLE_PLUGIN) {
      const { level } = membersOf(data.payload)
      if (level === 'error' || level === 'assert') consoleErrors++
      else if (level === 'warn') consoleWarns++
      else consoleLogs++
    }
  }
  const shiftMs = Math.abs(last - collectorTimeMs) > DAY_MS ? collectorTimeMs - last : 0
  const shiftSeconds = Math.round(shiftMs / 1000)
  return {
    firstMs: Math.max(Math.floor(first + shiftMs), collectorTimeMs - 2 * DAY_MS),
    lastMs: Math.floor(last + shiftMs),
    clicks,
    keypresses,
    active: [...active]
      .map((second) => second + shiftSeconds)
      .filter((second) => second >= 0)
      .sort((a, b) => a - b),
    firstUrl,
    consoleLogs,
    consoleWarns,
    consoleErrors,
  }
}

function membersOf(value: unknown): Members {
  return typeof value === 'object' && value !== null ? (value as Members) : {}
}
