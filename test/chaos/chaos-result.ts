import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { LoadReport } from './load.ts'
import type { Recovery } from './recovery.ts'
import type { Verdict } from './verdict.ts'

/** What was done, and measured meanwhile. */
export interface ChaosRun {
  readonly seed: number
  readonly brokers: 1 | 3
  readonly startedAt: string
  /** What ran, and on what: abbreviated commit, with `+` when files differed from it. */
  readonly commit: string
  readonly command: string
  readonly machine: string
  /** From the start to the last record that arrived. */
  readonly seconds: number
  readonly load: LoadReport
  /** Times each fault was inflicted. */
  readonly faults: Readonly<Record<string, number>>
  readonly figures: Readonly<Record<string, number>>
  readonly drainSeconds: number
  readonly recovery: Recovery
  /** SIGTERMs of collectors, and requests that failed meanwhile. */
  readonly rolling: { readonly times: number; readonly failedTries: number }
  /** Ends of processes that nobody meant: none but those that threw where they were told to. */
  readonly unplanned: readonly string[]
}

/** A run, and whether the promise held. */
export interface ChaosResult extends ChaosRun {
  readonly verdict: Verdict
}

const runFile = (stateDir: string) => join(stateDir, 'run.json')

/** The sender's book of a run. */
export const ledgerFile = (stateDir: string) => join(stateDir, 'ledger')
/** Its book of recordings. */
export const chunkLedgerFile = (stateDir: string) => join(stateDir, 'chunk-ledger')

/** Beside what the engines keep, so that the run can be judged at any time. */
export function saveRun(stateDir: string, run: ChaosRun): void {
  writeFileSync(runFile(stateDir), JSON.stringify(run, null, 2))
}

/** @throws Error when no run came to its end there */
export function loadRun(stateDir: string): ChaosRun {
  try {
    return JSON.parse(readFileSync(runFile(stateDir), 'utf8')) as ChaosRun
  } catch (error) {
    throw new Error(
      `${stateDir} holds no run that came to its end: only after everything has arrived can it be judged.`,
      { cause: error },
    )
  }
}
