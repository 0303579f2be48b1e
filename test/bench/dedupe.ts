import { parseArgs } from 'node:util'
import { runTakeover } from './dedupe-takeover.ts'
import { runWindow } from './dedupe-window.ts'

/**
 * `make dedupe [MODE=window|takeover] [IDS=20000000] [PARTITIONS=12]`: the ids that the enricher remembers, at the most
 * that one process may hold by default.
 *
 * - window: one process takes them in and looks them up: bytes and time for each, and the longest it stands still
 * - takeover: a real broker holds them in the changelog; an enricher is killed and the next one rebuilds its windows
 *
 * Times are also told as CPU time, which a busy machine distorts less.
 */
const { values } = parseArgs({
  options: {
    mode: { type: 'string', default: 'window' },
    ids: { type: 'string', default: '20000000' },
    partitions: { type: 'string', default: '12' },
  },
})
const load = { ids: Number(values.ids), partitions: Number(values.partitions) }
const lines = values.mode === 'takeover' ? await runTakeover(load) : runWindow(load)
for (const [what, figure] of lines) process.stdout.write(`${what.padEnd(58)} ${figure}\n`)
