import { Readable, Transform } from 'node:stream'
import {
  type ClickHouseClient,
  createClient,
  type ClickHouseSettings as ServerSettings,
} from '@clickhouse/client'
import type { DependencyError } from '../runtime/errors.ts'
import type { ClickHouse, QueryOptions, QueryParameters } from './clickhouse.ts'
import { toDependencyError } from './clickhouse-errors.ts'
import type { ClickHouseSettings } from './clickhouse-settings.ts'

/**
 * ClickHouse over HTTP through the official client. Rows go in and out as bytes; only `query` makes objects.
 *
 * @param database       the one that unqualified names mean; null for none, where it may not exist yet
 * @param datasetSetting custom setting in which a server's row policies look for the dataset of a statement; null where
 *                       there are none
 */
export function openClickHouse(
  settings: ClickHouseSettings,
  database: string | null = settings.clickhouseDatabase,
  datasetSetting: string | null = null,
): ClickHouse {
  const client = createClient({
    url: settings.clickhouseUrl,
    username: settings.clickhouseUser,
    password: settings.clickhousePassword ?? '',
    ...(database === null ? {} : { database }),
    request_timeout: settings.clickhouseRequestTimeoutMs,
    max_open_connections: settings.clickhouseConnectionsMax,
    compression: { request: settings.clickhouseCompress, response: settings.clickhouseCompress },
    application: 'millrace',
    // Below every server's own keep-alive (3 s in older ones), so that no request goes out on a closing connection.
    keep_alive: { enabled: true, idle_socket_ttl: 2000 },
    log: { level: 127 }, // Errors are ours to report, in our own words.
  })
  function asked(parameters: QueryParameters | undefined, options: QueryOptions | undefined) {
    const { queryId, signal, dataset, settings: given } = options ?? {}
    return {
      ...(parameters ? { query_params: { ...parameters } } : {}),
      ...(queryId ? { query_id: queryId } : {}),
      ...(signal ? { abort_signal: signal } : {}),
      clickhouse_settings: {
        // A reader who goes away must not leave his query running. Servers see to it where his profile says readonly.
        cancel_http_readonly_queries_on_client_close: 1,
        ...(datasetSetting === null || dataset === undefined ? {} : { [datasetSetting]: textDump(dataset) }),
        ...given,
      } as ServerSettings,
    }
  }

  return {
    async query<T>(sql: string, parameters?: QueryParameters, options?: QueryOptions): Promise<T[]> {
      return attempt('query', options, async () => {
        const answer = await client.query({
          query: sql,
          format: 'JSONEachRow',
          ...asked(parameters, options),
        })
        return await answer.json<T>()
      })
    },
    async stream(sql, parameters, options) {
      const { stream, response_headers } = await attempt('query', options, () =>
        client.exec({ query: sql, ...asked(parameters, options) }),
      )
      return withoutErrorBlock(stream, response_headers['x-clickhouse-exception-tag']?.toString() ?? null)
    },
    async command(sql, parameters, options) {
      await attempt('command', options, () =>
        client.exec({ query: sql, ...asked(parameters, options) }).then(drained),
      )
    },
    async insert(table, format, body, given, options) {
      await attempt(`insert into ${table}`, options, () =>
        client
          .exec({
            query: `INSERT INTO ${quoted(table)} FORMAT ${format}`,
            values: Readable.from(bodyOf(body, options?.beforeSending), { objectMode: false }),
            ...asked(undefined, { ...options, settings: { ...given, wait_end_of_query: 1 } }),
          })
          .then(drained),
      )
    },
    async ping() {
      return attempt('ping', undefined, () => version(client))
    },
    close: () => client.close(),
  }
}

/** The client asks for the first piece when it has a socket. */
async function* bodyOf(body: Readable | Buffer, beforeSending: (() => void) | undefined) {
  beforeSending?.()
  if (Buffer.isBuffer(body)) yield body
  else yield* body
}

async function version(client: ClickHouseClient): Promise<string> {
  const answer = await client.query({ query: 'SELECT version() AS version', format: 'JSONEachRow' })
  const rows = await answer.json<{ version: string }>()
  return rows[0]?.version ?? ''
}

/** @throws what the signal was aborted with, or a DependencyError */
async function attempt<T>(
  doing: string,
  options: QueryOptions | undefined,
  run: () => Promise<T>,
): Promise<T> {
  options?.signal?.throwIfAborted()
  try {
    return await run()
  } catch (error) {
    options?.signal?.throwIfAborted()
    throw toDependencyError(error, doing)
  }
}

/** Reads an answer to its true end: the client's own draining takes a broken connection for an end. */
async function drained(answer: { readonly stream: Readable }): Promise<void> {
  for await (const _ of answer.stream);
}

/** Text as a server takes it for a custom setting, whose type it does not know: in quotes. */
function textDump(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}

/** `table` or `database.table`, each part quoted. */
function quoted(table: string): string {
  return table
    .split('.')
    .map((part) => `\`${part.replace(/[\\`]/g, '\\$&')}\``)
    .join('.')
}

/** Longest error block that a server appends to an answer which fails on the way. */
const ERROR_BLOCK_BYTES_MAX = 32 * 1024

/** The answer's bytes; an error that the server appended after them becomes the stream's error. */
function withoutErrorBlock(source: Readable, tag: string | null): Readable {
  let held: Buffer = Buffer.alloc(0)
  const body = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      const sure = tag === null ? held.length : Math.max(0, held.length - ERROR_BLOCK_BYTES_MAX)
      const out = held.subarray(0, sure)
      held = held.subarray(sure)
      done(null, out)
    },
    flush(done) {
      const error = tag === null ? null : errorBlock(held, tag)
      if (error) done(error)
      else done(null, held)
    },
  })
  source.on('error', (error) =>
    body.destroy(errorBlock(held, tag ?? '') ?? toDependencyError(error, 'query')),
  )
  body.on('close', () => source.destroy())
  return source.pipe(body)
}

function errorBlock(tail: Buffer, tag: string): DependencyError | null {
  const mark = `__exception__\r\n${tag}\r\n`
  const at = tail.lastIndexOf(mark)
  if (at < 0) return null
  const text = tail.subarray(at + mark.length).toString()
  const found = /Code: (\d+)\. DB::Exception: (.*?)\(([A-Z0-9_]{3,})\)/s.exec(text)
  return toDependencyError(
    found ? { code: found[1], message: found[2], type: found[3] } : new Error(text),
    'query',
  )
}
