import { join } from 'node:path'
import { isRunning } from '../core/runtime/process-lock.ts'
import { readRunState } from './supervisor/run-state.ts'

/** Where `millrace up` and the demo keep their state when they are told nothing else. */
export const STATE_DIR = join(import.meta.dirname, '../../.millrace')

type Environment = Readonly<Record<string, string | undefined>>

/** Variables that say where one engine is. Whoever sets one of them means an engine of their own. */
const ENGINES: readonly (readonly string[])[] = [
  ['MILLRACE_KAFKA_'],
  ['MILLRACE_CLICKHOUSE_'],
  ['MILLRACE_S3_', 'AWS_'],
]

/**
 * The environment of a command that talks to a system: what is set, and below it where the system is that is up on
 * this machine, so that the commands which the demo prints work as they are printed. Engine by engine: where any
 * variable of an engine is set, nothing is added for it, so that no address of one system meets the password of
 * another.
 *
 * @throws Error when the state file is there and cannot be read
 */
export function localEnvironment(env: Environment = process.env, stateDir = STATE_DIR): Environment {
  const state = readRunState(stateDir)
  if (state === null || !isRunning(state.supervisor)) return env
  const set = Object.keys(env).filter((name) => env[name] !== undefined && env[name] !== '')
  const taken = ENGINES.filter((prefixes) =>
    prefixes.some((prefix) => set.some((name) => name.startsWith(prefix))),
  ).flat()
  const below = Object.entries(state.addresses).filter(
    ([name]) => !taken.some((prefix) => name.startsWith(prefix)),
  )
  return { ...Object.fromEntries(below), ...env }
}
