import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Engine, startEngine } from './engine-process.ts'

export interface ClickHouseEngine extends Engine {
  /** For `MILLRACE_CLICKHOUSE_URL`. */
  readonly url: string
}

/**
 * Starts the embedded ClickHouse engine behind its HTTP front.
 *
 * @param options.stateDir data, log and pid live here and are kept from run to run
 * @param options.environment settings of the front beyond directory and port (`clickhouse/front-settings.ts`)
 */
export async function startClickHouse(options: {
  readonly stateDir: string
  readonly port: number
  readonly environment?: Readonly<Record<string, string>>
}): Promise<ClickHouseEngine> {
  const { stateDir, port } = options
  mkdirSync(stateDir, { recursive: true })
  const url = `http://127.0.0.1:${port}`
  const engine = await startEngine({
    name: 'clickhouse',
    command: process.execPath,
    args: [join(import.meta.dirname, 'clickhouse', 'front.ts')],
    env: {
      ...options.environment,
      MILLRACE_CLICKHOUSE_FRONT_DIR: stateDir,
      MILLRACE_CLICKHOUSE_FRONT_PORT: String(port),
      // Every running statement holds a thread of this pool, whatever worker it belongs to.
      UV_THREADPOOL_SIZE: '32',
    },
    stateDir,
    ports: [port],
    ready: async () => {
      try {
        return (await fetch(`${url}/ping`)).ok
      } catch {
        return false
      }
    },
    readyTimeoutMs: 60_000,
  })
  return { ...engine, url }
}
