import type { IncomingMessage } from 'node:http'
import { DialectError } from './dialect-error.ts'

/** A query as it came over HTTP, before anything was read of the body. */
export interface FrontRequest {
  /** Statement in the URL; '' when the body carries it. */
  readonly query: string
  readonly database: string | null
  readonly defaultFormat: string | null
  readonly queryId: string
  /** Values of `{name:Type}` placeholders, in ClickHouse's tab-separated escaping. */
  readonly parameters: Readonly<Record<string, string>>
  readonly settings: Readonly<Record<string, string>>
  readonly waitEndOfQuery: boolean
  /** Codec that the answer may be compressed with. */
  readonly compress: 'gzip' | 'zstd' | null
  readonly user: string
  readonly password: string
}

/** Parameters of the HTTP interface that are no settings of a query. */
const OF_THE_INTERFACE = new Set([
  'query',
  'database',
  'default_format',
  'query_id',
  'user',
  'password',
  'quota_key',
  'role',
  'wait_end_of_query',
  'buffer_size',
  'compress',
  'stacktrace',
  'enable_http_compression',
  'http_zlib_compression_level',
  'send_progress_in_http_headers',
  'http_headers_progress_interval_ms',
  'cancel_http_readonly_queries_on_client_close',
  'log_comment',
])

const NAME = /^[A-Za-z_][A-Za-z0-9_]{0,199}$/

/**
 * @param newQueryId used when the request names none
 * @throws DialectError for what this front does not do: sessions, ClickHouse's own compression, form bodies
 */
export function readRequest(request: IncomingMessage, newQueryId: () => string): FrontRequest {
  const url = new URL(request.url ?? '/', 'http://front')
  const parameters: Record<string, string> = Object.create(null)
  const settings: Record<string, string> = Object.create(null)
  for (const [name, value] of url.searchParams) {
    const parameter = name.startsWith('param_') ? name.slice(6) : null
    if (!NAME.test(parameter ?? name))
      throw new DialectError(115, 'UNKNOWN_SETTING', `Unknown setting ${JSON.stringify(name)}.`)
    if (name === 'session_id') throw unsupported('Sessions')
    if (name === 'decompress' && value !== '0') throw unsupported('A body in ClickHouse’s native compression')
    if (parameter !== null) parameters[parameter] = value
    else if (name !== 'decompress' && !OF_THE_INTERFACE.has(name)) settings[name] = value
  }
  if (/^multipart\//.test(request.headers['content-type'] ?? '')) throw unsupported('A multipart body')
  const get = (name: string) => url.searchParams.get(name)
  const header = (name: string) => request.headers[name]?.toString() ?? null
  const basic = /^Basic (.+)$/i.exec(header('authorization') ?? '')
  const [basicUser = '', ...basicPassword] = Buffer.from(basic?.[1] ?? '', 'base64')
    .toString()
    .split(':')
  const accepted = header('accept-encoding') ?? ''
  return {
    query: get('query') ?? '',
    database: get('database') ?? header('x-clickhouse-database'),
    defaultFormat: get('default_format') ?? header('x-clickhouse-format'),
    queryId: get('query_id') || newQueryId(),
    parameters,
    settings,
    waitEndOfQuery: get('wait_end_of_query') === '1',
    compress:
      get('enable_http_compression') !== '1'
        ? null
        : /\bgzip\b/.test(accepted)
          ? 'gzip'
          : /\bzstd\b/.test(accepted)
            ? 'zstd'
            : null,
    user: get('user') ?? header('x-clickhouse-user') ?? (basicUser || 'default'),
    password: get('password') ?? header('x-clickhouse-key') ?? basicPassword.join(':'),
  }
}

function unsupported(what: string): DialectError {
  return new DialectError(48, 'NOT_IMPLEMENTED', `${what} cannot be used with the embedded engine.`)
}
