import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { BUG_VARIABLE } from './plant-bug.ts'
import type { Outcome } from './run-seeds.ts'

/** A process is replaced after so many seeds: what a history leaves behind in memory goes with it. */
const SEEDS_PER_PROCESS = 50
/** A history that has not ended by then never will, ms. */
const SEED_TIMEOUT_MS = 120_000

/** A seed that came to no verdict: its process broke down or hung. */
export interface SeedFailure {
  readonly seed: number
  readonly crash: string
}

export interface SeedPoolOptions {
  readonly from: number
  readonly to: number
  readonly processes: number
  /** Name of a planted bug; null for the code as it is. */
  readonly bug: string | null
  /** @returns false when no further seed is to begin; those under way are still told */
  onResult(result: Outcome | SeedFailure): boolean
}

/** Simulates the seeds `from` to `to` in processes of their own; they begin in order, and end as they end. */
export async function runSeeds(options: SeedPoolOptions): Promise<void> {
  let next = options.from
  let goes = true

  async function lane(): Promise<void> {
    while (goes && next <= options.to) {
      const child = open(options.bug)
      try {
        for (let count = 0; goes && next <= options.to && count < SEEDS_PER_PROCESS; count++) {
          const result = await simulateIn(child, next++)
          goes = options.onResult(result) && goes
          if ('crash' in result) break
        }
      } finally {
        child.kill('SIGKILL')
      }
    }
  }
  await Promise.all(Array.from({ length: options.processes }, lane))
}

function open(bug: string | null): ChildProcess {
  return fork(join(import.meta.dirname, 'run-seeds.ts'), [], {
    // A history makes much garbage that is young.
    execArgv: ['--max-semi-space-size=64', '--import', join(import.meta.dirname, 'plant-bug.ts')],
    env: { ...process.env, [BUG_VARIABLE]: bug ?? undefined },
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  })
}

function simulateIn(child: ChildProcess, seed: number): Promise<Outcome | SeedFailure> {
  return new Promise((resolve) => {
    let said = ''
    const end = (result: Outcome | SeedFailure) => {
      clearTimeout(limit)
      child.removeAllListeners()
      child.stderr?.removeAllListeners()
      resolve(result)
    }
    const limit = setTimeout(() => end({ seed, crash: 'It does not end.' }), SEED_TIMEOUT_MS)
    child.stderr?.on('data', (text) => {
      said += text
    })
    child.once('message', (told: Outcome) => end(told))
    child.once('exit', (code, signal) =>
      end({ seed, crash: `Its process ended (${signal ?? code}): ${said.slice(0, 2_000)}` }),
    )
    child.send(seed)
  })
}
