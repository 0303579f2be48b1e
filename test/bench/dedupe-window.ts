import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { ENTRY_BYTES, KEY_BYTES, PAYLOAD_BYTES } from '../../schemas/dedupe/v1.ts'
import { createDedupeWindow, createIdBudget } from '../../services/enricher/dedupe/dedupe-window.ts'
import { cpuSeconds, type DedupeLoad, fillEntries, type Line, TRANSACTION_IDS } from './dedupe-load.ts'

const WINDOW_MS = 24 * 3_600_000
const MIB = 1024 ** 2
/** Ids of every transaction that are kept to be looked up. */
const KEPT = 100

/** Takes in the ids of half a window, looks some of them up and as many that are not there, then takes in half as many again. */
export function runWindow({ ids, partitions }: DedupeLoad): readonly Line[] {
  const budget = createIdBudget(ids)
  const windows = Array.from({ length: partitions }, () => createDedupeWindow(WINDOW_MS, budget))
  const entries = Buffer.alloc(TRANSACTION_IDS * ENTRY_BYTES)
  const transactions = Math.ceil(ids / TRANSACTION_IDS)
  const kept: { readonly partition: number; readonly entries: Buffer }[] = []
  const start = Date.UTC(2026, 0, 31)
  let took = { seconds: 0, longestMs: 0 }

  const takeIn = (transaction: number) => {
    const time = start + Math.floor((transaction / transactions) * (WINDOW_MS / 2))
    fillEntries(entries, time)
    const window = windows[transaction % partitions]!
    const before = cpuSeconds()
    window.advance(time)
    window.add(entries)
    const seconds = cpuSeconds() - before
    took = { seconds: took.seconds + seconds, longestMs: Math.max(took.longestMs, seconds * 1000) }
  }
  const look = (keys: readonly { readonly partition: number; readonly entries: Buffer }[]) => {
    let [found, asked] = [0, 0]
    const before = cpuSeconds()
    for (const { partition, entries } of keys) {
      for (let at = 0; at < entries.length; at += ENTRY_BYTES) {
        const key = entries.subarray(at, at + KEY_BYTES)
        const payload = entries.subarray(at + KEY_BYTES, at + KEY_BYTES + PAYLOAD_BYTES)
        asked++
        if (windows[partition]!.find(key, payload) === 'equal') found++
      }
    }
    return { found, asked, nanos: ((cpuSeconds() - before) * 1e9) / asked }
  }
  const held = () => windows.reduce((sum, window) => sum + window.ids, 0)
  const forgotten = () => windows.reduce((sum, window) => sum + window.takeForgotten().early, 0)

  const empty = memory()
  for (let transaction = 0; transaction < transactions; transaction++) {
    takeIn(transaction)
    kept.push({
      partition: transaction % partitions,
      entries: Buffer.from(entries.subarray(0, KEPT * ENTRY_BYTES)),
    })
  }
  const keptBytes = transactions * KEPT * ENTRY_BYTES
  const growing = took
  const peakMiB = process.resourceUsage().maxRSS / 1024
  const full = memory()
  const hits = look(kept)
  for (const { entries } of kept) fillEntries(entries, start)
  const misses = look(kept)
  const heldWhenFull = held()
  const forgottenBefore = forgotten()
  const tables = windows.reduce((sum, window) => sum + window.bytes, 0)

  took = { seconds: 0, longestMs: 0 }
  for (let more = 0; more < transactions / 2; more++) takeIn(transactions + more)
  const evicted = forgotten()
  const heldMs = windows.map((window) => window.heldMs())
  const perId = (bytes: number) => `${((bytes - keptBytes) / heldWhenFull).toFixed(1)} B`
  const micros = ({ seconds }: typeof took, count: number) => `${((seconds * 1e6) / count).toFixed(2)} µs CPU`
  return [
    ['ids taken in, partitions', `${ids.toLocaleString('en-US')}, ${partitions}`],
    ['ids held', heldWhenFull.toLocaleString('en-US')],
    ['memory of an id: heap, external and array buffers', perId(full.used - empty.used)],
    ['memory of an id: resident', perId(full.rss - empty.rss)],
    ['memory of an id: tables', `${(tables / heldWhenFull).toFixed(1)} B`],
    [
      'resident before, full, peak while growing',
      `${mib(empty.rss)}, ${mib(full.rss)}, ${Math.round(peakMiB)} MiB`,
    ],
    ['an id taken in while growing', micros(growing, ids)],
    ['longest transaction of 2,000 ids while growing', `${growing.longestMs.toFixed(0)} ms CPU`],
    [`a look-up that finds (${hits.found} of ${hits.asked})`, `${hits.nanos.toFixed(0)} ns CPU`],
    [
      `a look-up that finds nothing (${misses.asked - misses.found} of ${misses.asked})`,
      `${misses.nanos.toFixed(0)} ns CPU`,
    ],
    ['forgotten early before the ids were used up', forgottenBefore.toLocaleString('en-US')],
    ['half as many again: forgotten early', evicted.toLocaleString('en-US')],
    ['half as many again: ids held', held().toLocaleString('en-US')],
    ['half as many again: an id taken in', micros(took, ids / 2)],
    ['half as many again: longest transaction', `${took.longestMs.toFixed(0)} ms CPU`],
    ['half as many again: hours held, of 24', range(heldMs.map((ms) => ms / 3_600_000))],
    ['half as many again: peak', `${Math.round(process.resourceUsage().maxRSS / 1024)} MiB`],
  ]
}

const mib = (bytes: number) => `${Math.round(bytes / MIB)}`
const range = (values: readonly number[]) =>
  `${Math.min(...values).toFixed(1)} to ${Math.max(...values).toFixed(1)}`

/** After the garbage is gone, bytes. */
function memory(): { readonly rss: number; readonly used: number } {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  const { rss, heapUsed, external } = process.memoryUsage()
  // Array buffers are part of external.
  return { rss, used: heapUsed + external }
}
