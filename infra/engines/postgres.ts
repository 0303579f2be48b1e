import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Engine, startEngine } from './engine-process.ts'
import { fetchJars } from './jars.ts'
import { asOrdinaryUser } from './ordinary-user.ts'

export interface PostgresEngine extends Engine {
  /** For `MILLRACE_METADATA_URL`. */
  readonly url: string
}

/** Starts PostgreSQL on a directory, with the user `millrace`, whom it lets in from 127.0.0.1 without a password. */
export async function startPostgres(options: {
  readonly stateDir: string
  readonly port: number
}): Promise<PostgresEngine> {
  const { stateDir, port } = options
  const bin = join(fetchJars('postgres'), 'bin')
  const dataDir = join(stateDir, 'data')
  if (!existsSync(join(dataDir, 'PG_VERSION'))) makeCluster(bin, stateDir, dataDir)
  const [command, args] = asOrdinaryUser(join(bin, 'postgres'), [
    '-D',
    dataDir,
    '-p',
    String(port),
    ...['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'fsync=off'].flatMap((set) => ['-c', set]),
  ])
  const engine = await startEngine({
    name: 'postgres',
    command,
    args,
    stateDir,
    ports: [port],
    ready: async () => saysReady(join(dataDir, 'postmaster.pid')),
    readyTimeoutMs: 60_000,
    // "Fast": open connections are ended. With SIGTERM it would wait for its clients.
    stopSignal: 'SIGINT',
  })
  return { ...engine, url: `postgres://millrace@127.0.0.1:${port}/postgres` }
}

function makeCluster(bin: string, stateDir: string, dataDir: string): void {
  mkdirSync(stateDir, { recursive: true })
  const run = spawnSync(
    ...asOrdinaryUser(join(bin, 'initdb'), [
      ...['-D', dataDir, '-U', 'millrace', '--auth=trust', '--encoding=UTF8', '--locale=C', '--no-sync'],
    ]),
    { encoding: 'utf8' },
  )
  if (run.status === 0) return
  rmSync(dataDir, { recursive: true, force: true })
  throw new Error(`PostgreSQL's directory could not be made:\n${run.stdout ?? ''}${run.stderr ?? run.error}`)
}

/** The eighth line of its pid file is the server's state. */
function saysReady(pidFile: string): boolean {
  try {
    return readFileSync(pidFile, 'utf8').split('\n')[7]?.trim() === 'ready'
  } catch {
    return false
  }
}
