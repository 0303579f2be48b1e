import { randomFillSync } from 'node:crypto'
import { ENTRY_BYTES, KEY_BYTES, PAYLOAD_BYTES } from '../../schemas/dedupe/v1.ts'

export interface DedupeLoad {
  readonly ids: number
  readonly partitions: number
}

/** What was measured, and the figure with its unit. */
export type Line = readonly [what: string, figure: string]

/** Ids of one transaction, as many as one has by default. */
export const TRANSACTION_IDS = 2_000

/** Fills packed entries with random ids, which are what hashes look like, all of one time. */
export function fillEntries(entries: Buffer, time: number): void {
  randomFillSync(entries)
  for (let at = KEY_BYTES + PAYLOAD_BYTES; at < entries.length; at += ENTRY_BYTES)
    entries.writeUIntBE(time, at, 6)
}

/** User and system time of this process, seconds. */
export function cpuSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}
