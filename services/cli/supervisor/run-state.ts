import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { Clock } from '../../core/runtime/clock.ts'
import { identify, isRunning, type ProcessIdentity, takeLock } from '../../core/runtime/process-lock.ts'
import type { UnitStatus } from './supervisor.ts'

/** What `.millrace/run/state.json` says: enough for another process to follow, and to stop everything by pid. */
export interface RunState {
  readonly supervisor: ProcessIdentity
  /** `failed`: a unit could not be brought up; the rest may run. */
  readonly phase: 'starting' | 'up' | 'failed' | 'stopping'
  /** Why, when it failed. */
  readonly problem: string | null
  /** Where things are, as the environment variables that name them. */
  readonly addresses: Readonly<Record<string, string>>
  readonly units: readonly (UnitStatus & { readonly process: ProcessIdentity | null })[]
}

export function stateFile(stateDir: string): string {
  return join(stateDir, 'run', 'state.json')
}

function lockFile(stateDir: string): string {
  return join(stateDir, 'run', 'supervisor.pid')
}

/** @returns null when nothing was started there, or everything was stopped */
export function readRunState(stateDir: string): RunState | null {
  try {
    return JSON.parse(readFileSync(stateFile(stateDir), 'utf8'))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new Error(`${stateFile(stateDir)} cannot be read.`, { cause: error })
  }
}

/** Whole or not at all: readers poll it. */
export function writeRunState(stateDir: string, state: RunState): void {
  const file = stateFile(stateDir)
  mkdirSync(dirname(file), { recursive: true })
  writeFileSync(`${file}.new`, `${JSON.stringify(state, null, 2)}\n`)
  renameSync(`${file}.new`, file)
}

export function withIdentities(status: readonly UnitStatus[]): RunState['units'] {
  return status.map((unit) => ({ ...unit, process: unit.pid === null ? null : identify(unit.pid) }))
}

/**
 * Makes this process the supervisor of the directory.
 *
 * @throws Error when another one is
 */
export function superviseDirectory(stateDir: string): { release(): void } {
  const lock = takeLock(lockFile(stateDir))
  if ('heldBy' in lock) {
    throw new Error(
      `Millrace is up already on ${stateDir} (pid ${lock.heldBy.pid}). Stop it first: millrace down.`,
    )
  }
  return {
    release: () => {
      rmSync(stateFile(stateDir), { force: true })
      lock.release()
    },
  }
}

/** From SIGTERM to SIGKILL for what a killed supervisor left behind, ms. */
const LEFT_BEHIND_STOP_MS = 30_000

/**
 * Ends what a supervisor that was killed left running, stages before engines: exactly the processes that the state
 * names and that still are those processes.
 *
 * @returns their names
 */
export async function stopLeftBehind(state: RunState, clock: Clock): Promise<readonly string[]> {
  const stopped: string[] = []
  for (const kind of ['stage', 'engine'] as const) {
    const left = state.units.flatMap((unit) =>
      unit.kind === kind && unit.process && isRunning(unit.process)
        ? [{ name: unit.name, process: unit.process }]
        : [],
    )
    await Promise.all(left.map(({ process }) => endProcess(process, LEFT_BEHIND_STOP_MS, clock)))
    stopped.push(...left.map(({ name }) => name))
  }
  return stopped
}

/** SIGTERM, SIGKILL after the timeout; resolves when the process is gone. */
export async function endProcess(target: ProcessIdentity, timeoutMs: number, clock: Clock): Promise<void> {
  const deadline = clock.monotonic() + timeoutMs
  signal(target, 'SIGTERM')
  while (isRunning(target)) {
    if (clock.monotonic() > deadline) signal(target, 'SIGKILL')
    await clock.sleep(50)
  }
}

function signal(target: ProcessIdentity, name: NodeJS.Signals): void {
  try {
    if (isRunning(target)) process.kill(target.pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
