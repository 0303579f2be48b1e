import { randomBytes } from 'node:crypto'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import type { Session as ChdbSession } from 'chdb'
import { DialectError, engineError } from './dialect-error.ts'
import { createEnginePool, type EngineStatistics } from './engine-pool.ts'
import type { FrontRequest } from './http-request.ts'
import { sqlName, sqlString } from './sql-tokens.ts'
import {
  FILE_SYSTEM_DATABASE,
  killStatement,
  refuseOutside,
  type Statement,
  withDataFrom,
} from './statement.ts'

/** Stands in for the server's `default` database, whose name the engine keeps for the file system. */
const LOCAL_DATABASE = 'local'

/** Formats whose pieces, one after the other, are the whole; every other one is made in one piece. */
const PIECEWISE_FORMATS = new Set([
  'JSONEachRow',
  'JSONLines',
  'NDJSON',
  'JSONCompactEachRow',
  'JSONStringsEachRow',
  'JSONCompactStringsEachRow',
  'TabSeparated',
  'TSV',
  'TabSeparatedRaw',
  'TSVRaw',
  'CSV',
  'RowBinary',
  'Native',
])

export interface EngineLimits {
  readonly readers: number
  readonly writers: number
  readonly queueMax: number
  readonly resultBytesMax: number
  readonly queryTimeMaxMs: number
  readonly queryMemoryMax: number
}

export interface FrontEngine {
  /** Version of the engine, e.g. 26.7.2.1. */
  readonly version: string
  /**
   * Runs one statement. Its result goes to `onChunk` piece by piece; `false` from it ends a query early.
   *
   * @param dataPath file with the rows of an INSERT that awaits data
   * @param signal   the client went away: a query is killed, an insert goes on to its end, as in a server
   * @throws DialectError
   */
  run(
    statement: Statement,
    request: FrontRequest,
    dataPath: string | null,
    signal: AbortSignal,
    onChunk: (bytes: Buffer) => Promise<boolean>,
  ): Promise<EngineStatistics>
  /** Format that the statement's result will have. */
  formatOf(statement: Statement, request: FrontRequest): string
  close(): Promise<void>
}

const { Session } = createRequire(import.meta.url)('chdb') as { Session: typeof ChdbSession }

/**
 * The embedded engine on a directory: readers and writers in threads of their own, and one session of the main
 * thread for looking after them.
 *
 * @param onCrash the engine's state is unknown; the process must end
 */
export async function openFrontEngine(
  stateDir: string,
  limits: EngineLimits,
  onCrash: (error: Error) => void,
): Promise<FrontEngine> {
  const path = join(stateDir, 'data')
  const control = new Session(path)
  const rows = async (sql: string) =>
    rowsOf((await control.queryAsync(sql, { format: 'JSONCompactEachRow' })).text())
  await control.queryAsync(`CREATE DATABASE IF NOT EXISTS ${LOCAL_DATABASE} ENGINE = Atomic`)
  const version = (await rows('SELECT version()'))[0]?.[0] ?? ''
  const tableFunctions = new Set(
    (await rows('SELECT lower(name) FROM system.table_functions')).map(([name]) => name as string),
  )
  const readers = createEnginePool(path, limits.readers, limits.queueMax, onCrash)
  const writers = createEnginePool(path, limits.writers, limits.queueMax, onCrash)
  /** Statements that run, by the unique tag they carry in the engine. */
  const running = new Map<string, Promise<unknown>>()

  const formatOf = (statement: Statement, request: FrontRequest) =>
    statement.format ?? request.defaultFormat ?? 'TabSeparated'

  const setup = (statement: Statement, request: FrontRequest, tag: string, piecewise: boolean): string[] => {
    const reads = statement.kind === 'read'
    const { readonly = '0', ...given } = request.settings
    const settings: Record<string, string> = { ...given, log_comment: tag }
    if (reads) {
      settings.max_execution_time ??= String(limits.queryTimeMaxMs / 1000)
      settings.max_memory_usage ??= String(limits.queryMemoryMax)
      if (!piecewise && !(Number(settings.max_result_bytes) < limits.resultBytesMax)) {
        settings.max_result_bytes = String(limits.resultBytesMax)
        settings.result_overflow_mode = 'throw'
      }
    }
    const database =
      request.database === null || request.database === FILE_SYSTEM_DATABASE
        ? LOCAL_DATABASE
        : request.database
    const changes = Object.entries(settings).map(([name, value]) => `${name} = ${sqlString(value)}`)
    for (const [name, value] of Object.entries(request.parameters))
      changes.push(`param_${name} = ${sqlString(value)}`)
    const statements = [`SET ${changes.join(', ')}`]
    statements.push(`USE ${sqlName(database)}`)
    // Readers cannot write whatever their statement turns out to be; 2 lets a query bring its own settings.
    const level = reads && readonly === '0' ? '2' : readonly
    if (level !== '0') statements.push(`SET readonly = ${sqlString(level)}`)
    return statements
  }

  /** On the main thread, beside all queues: it must get through when every reader is busy. */
  const kill = async (
    statement: Statement,
    request: FrontRequest,
    signal: AbortSignal,
    onChunk: (bytes: Buffer) => Promise<boolean>,
  ): Promise<EngineStatistics> => {
    const { sql, condition, sync } = killStatement(statement)
    const session = new Session(path)
    try {
      for (const prepare of setup(statement, request, request.queryId, false))
        await session.queryAsync(prepare)
      const found = await session.queryAsync(
        `SELECT Settings['log_comment'] FROM system.processes WHERE (${condition})`,
        { format: 'JSONCompactEachRow' },
      )
      const result = await session.queryAsync(sql, { format: formatOf(statement, request) })
      await onChunk(Buffer.from(result.bytes()))
      const ended = Promise.allSettled(rowsOf(found.text()).map(([tag]) => running.get(tag as string)))
      if (sync) await Promise.race([ended, aborted(signal)])
      return { rowsRead: result.rowsRead, bytesRead: result.bytesRead, elapsed: result.elapsed }
    } catch (error) {
      throw engineError(String((error as Error).message))
    } finally {
      session.close()
    }
  }

  return {
    version,
    formatOf,
    async run(statement, request, dataPath, signal, onChunk) {
      refuseOutside(statement, tableFunctions, request.parameters)
      if (statement.kind === 'kill') return kill(statement, request, signal, onChunk)
      const reads = statement.kind === 'read'
      const format = formatOf(statement, request)
      const streamed = statement.selects && !request.waitEndOfQuery && PIECEWISE_FORMATS.has(format)
      if (running.has(request.queryId))
        throw new DialectError(
          216,
          'QUERY_WITH_SAME_ID_IS_ALREADY_RUNNING',
          `Query with id = ${request.queryId} is already running.`,
        )
      const job = {
        setup: setup(statement, request, request.queryId, streamed),
        sql: dataPath === null ? statement.sql : withDataFrom(statement, dataPath),
        format,
        streamed,
      }
      const pool = reads ? readers : writers
      const work = pool.run(job, signal, onChunk)
      running.set(request.queryId, work)
      const onGone = () => {
        if (!reads) return
        control
          .queryAsync(`KILL QUERY WHERE Settings['log_comment'] = ${sqlString(request.queryId)} ASYNC`)
          .catch(onCrash)
      }
      signal.addEventListener('abort', onGone, { once: true })
      try {
        return await work
      } finally {
        running.delete(request.queryId)
        signal.removeEventListener('abort', onGone)
      }
    },
    async close() {
      await Promise.allSettled(running.values())
      await Promise.all([readers.close(), writers.close()])
    },
  }
}

/** An id for a request that brings none. */
export function newQueryId(): string {
  return randomBytes(16).toString('hex')
}

/** Rows of JSONCompactEachRow. */
function rowsOf(text: string): string[][] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as string[])
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
