import { rmSync } from 'node:fs'
import type { Command } from 'commander'
import { systemClock } from '../../core/runtime/clock.ts'
import { isRunning } from '../../core/runtime/process-lock.ts'
import { STATE_DIR } from '../local-environment.ts'
import { endProcess, readRunState, stateFile, stopLeftBehind } from '../supervisor/run-state.ts'

/** What the supervisor has for its own ordered stop, drains included, before it is ended by force. */
const SUPERVISOR_STOP_MS = 75_000

export function registerDown(program: Command): void {
  program
    .command('down')
    .summary('stop what `millrace up` started')
    .description(
      'Stops what `millrace up` started, stages before engines, by process id and nothing else, and waits until it is ' +
        'gone. Data stays.',
    )
    .option('--state <directory>', 'the directory that `millrace up` was given', STATE_DIR)
    .option('--json', 'say what was stopped as JSON', false)
    .action(async (options: { readonly state: string; readonly json: boolean }) => {
      const stopped = await down(options.state)
      if (options.json) process.stdout.write(`${JSON.stringify({ stopped })}\n`)
      else if (stopped.length === 0) process.stdout.write('Nothing is up.\n')
      else process.stdout.write(`Stopped: ${stopped.join(', ')}.\n`)
    })
}

/** @returns names of what ran and was stopped */
async function down(stateDir: string): Promise<readonly string[]> {
  const state = readRunState(stateDir)
  if (!state) return []
  const stopped: string[] = []
  if (isRunning(state.supervisor)) {
    const units = readRunState(stateDir)?.units ?? []
    await endProcess(state.supervisor, SUPERVISOR_STOP_MS, systemClock)
    stopped.push(...units.filter(({ pid }) => pid !== null).map(({ name }) => name))
  }
  // The supervisor was killed, before or just now: its children may have outlived it.
  const left = readRunState(stateDir)
  if (left) {
    stopped.push(...(await stopLeftBehind(left, systemClock)).filter((name) => !stopped.includes(name)))
    rmSync(stateFile(stateDir), { force: true })
  }
  return stopped
}
