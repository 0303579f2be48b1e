import type { Readable } from 'node:stream'

/** Values of `{name:Type}` placeholders: the only way that a value gets into SQL. */
export type QueryParameters = Readonly<
  Record<string, string | number | boolean | null | readonly (string | number)[]>
>
export type QuerySettings = Readonly<Record<string, string | number>>

/**
 * ClickHouse as stages see it: a server, or the embedded engine behind its HTTP front; no caller can tell.
 *
 * Failures are DependencyError('clickhouse', …) whose message carries ClickHouse's own code and text:
 * `unavailable`, `timeout`, `overloaded` (252 too many parts, 241 memory, 202), `read_only` (164, 242),
 * `denied` (516, 497), `not_found` (60, 81), `rejected` (everything that repeating does not mend).
 */
export interface ClickHouse {
  /** Result rows as objects (FORMAT JSONEachRow). For small results. */
  query<T>(sql: string, parameters?: QueryParameters, options?: QueryOptions): Promise<T[]>
  /** Result bytes in the format that the SQL names, as they arrive. Destroying the stream cancels the query. */
  stream(sql: string, parameters?: QueryParameters, options?: QueryOptions): Promise<Readable>
  /** A statement without a result. */
  command(sql: string, parameters?: QueryParameters, options?: QueryOptions): Promise<void>
  /**
   * One INSERT of bytes already in the table's format, e.g. NDJSON under `JSONEachRow`. Resolves only when the
   * server acknowledged the whole insert; after any rejection its outcome is unknown.
   */
  insert(
    table: string,
    format: string,
    body: Readable | Buffer,
    settings: QuerySettings,
    options?: InsertOptions,
  ): Promise<void>
  /** Server version; rejects when it does not answer. */
  ping(): Promise<string>
  close(): Promise<void>
}

export interface InsertOptions extends Pick<QueryOptions, 'queryId' | 'signal'> {
  /**
   * Called when the body is about to be sent and nothing has been yet: what it throws ends the insert. A process that
   * is stopped after it goes on with a connection that the server has closed meanwhile.
   */
  readonly beforeSending?: () => void
}

export interface QueryOptions {
  readonly settings?: QuerySettings
  /** Shows in system.processes and cancels by KILL QUERY. */
  readonly queryId?: string
  readonly signal?: AbortSignal
  /** Id of the one dataset that the statement is about, for a server that holds it to that. */
  readonly dataset?: string
}
