import { join } from 'node:path'
import { isRunning } from '../core/runtime/process-lock.ts'
import { readRunState } from './supervisor/run-state.ts'

/** Where `millrace up` and the demo keep their state when they are told nothing else. */
export const STATE_DIR = join(import.meta.dirname, '../../.millrace')

type Environment = Readonly<Record<string, string | undefined>>

interface EngineVariables {
  /** Beginnings of the names of its variables. */
  readonly prefixes: readonly string[]
  /** Whoever sets a variable that begins so means an engine of their own. */
  readonly telling: readonly string[]
}

const ENGINES: readonly EngineVariables[] = [
  { prefixes: ['MILLRACE_KAFKA_'], telling: ['MILLRACE_KAFKA_'] },
  { prefixes: ['MILLRACE_CLICKHOUSE_'], telling: ['MILLRACE_CLICKHOUSE_'] },
  {
    prefixes: ['MILLRACE_S3_', 'AWS_'],
    // A region or a bundle of certificates stands in many a shell and names no store.
    telling: [
      'MILLRACE_S3_',
      'AWS_ACCESS_KEY_ID',
      'AWS_PROFILE',
      'AWS_ROLE_ARN',
      'AWS_WEB_IDENTITY_TOKEN_FILE',
      'AWS_CONTAINER_CREDENTIALS_',
      'AWS_ENDPOINT_URL',
    ],
  },
]

/**
 * The environment of a command that talks to a system: what is set, and below it where the system is that is up on
 * this machine, so that the commands which the demo prints work as they are printed. Engine by engine: where the
 * environment says which one is meant, nothing is added for it, so that no address of one system meets the password of
 * another.
 *
 * @throws Error when the state file is there and cannot be read
 */
export function localEnvironment(env: Environment = process.env, stateDir = STATE_DIR): Environment {
  const state = readRunState(stateDir)
  if (state === null || !isRunning(state.supervisor)) return env
  const set = Object.keys(env).filter((name) => env[name] !== undefined && env[name] !== '')
  const taken = ENGINES.filter(({ telling }) =>
    telling.some((beginning) => set.some((name) => name.startsWith(beginning))),
  ).flatMap(({ prefixes }) => prefixes)
  const below = Object.entries(state.addresses).filter(
    ([name]) => !taken.some((prefix) => name.startsWith(prefix)),
  )
  return { ...Object.fromEntries(below), ...env }
}
