import pg from 'pg'
import { ENRICHED_EVENT_FIELDS } from '../../../schemas/enriched-event/v1.ts'
import type { FieldType } from '../../../schemas/field.ts'
import { postgresErrors } from '../../core/metadata/postgres-errors.ts'
import { DependencyError } from '../../core/runtime/errors.ts'
import type { DestinationTable, LoadedBatch, TableAddress } from './destination-table.ts'
import { storableJson } from './storable-json.ts'

/** For a connection to open, ms. */
const CONNECT_MS = 10_000
/** For one statement, ms; the server is asked to give up first. */
const STATEMENT_MS = 30_000
/** After so long without a statement the server gives up a transaction, and with it the locks of a process that is gone. */
const IDLE_MS = 60_000
/** Characters of the rows of one statement at most, but one row at least. */
const STATEMENT_CHARACTERS = 1_000_000
/** Of the advisory lock of who makes tables: `load` as a number. */
const MAKING = 0x6c6f6164
/** Beside the table: which batches are in it. */
const LOADS = 'millrace_loads'
/** An event's id is unique within its dataset. */
const KEY = ['dataset_id', 'event_id'] as const

const TYPES: Readonly<Record<FieldType, string>> = {
  text: 'text',
  integer: 'bigint',
  number: 'double precision',
  boolean: 'boolean',
  timestamp: 'timestamptz',
  text_list: 'text[]',
  json: 'jsonb',
}

const translate = postgresErrors({
  dependency: 'destination',
  words: 'The database of this batch export (PostgreSQL)',
  // Tables, columns, triggers and rights there are not ours, and what answers may be no PostgreSQL at all.
  otherwise: 'rejected',
})

/**
 * A table of enriched events in PostgreSQL. Whoever has made it before decides which columns it has: those that
 * events do not have stay empty, and it gets those that it has.
 */
export function openPostgresTable(address: TableAddress): DestinationTable {
  const table = `${quoted(address.schema)}.${quoted(address.table_name)}`
  const loads = `${quoted(address.schema)}.${quoted(LOADS)}`
  let opened: Promise<pg.Client> | null = null
  let columns: readonly string[] | null = null

  async function connect(): Promise<pg.Client> {
    const client = new pg.Client({
      host: address.host,
      port: address.port,
      database: address.database,
      user: address.user,
      password: address.password,
      ssl:
        address.ssl_mode === 'disable' ? false : { rejectUnauthorized: address.ssl_mode === 'verify-full' },
      application_name: 'millrace',
      connectionTimeoutMillis: CONNECT_MS,
      // The server's own timeouts are set in each transaction: poolers refuse them as a connection begins.
      query_timeout: STATEMENT_MS * 2,
    })
    // A connection that breaks is found out by the next statement. Without a listener it would end the process.
    client.on('error', () => {})
    await client.connect()
    return client
  }

  async function ask<R extends object>(
    sql: string,
    values: unknown[] = [],
    committing = false,
  ): Promise<R[]> {
    try {
      opened ??= connect()
      const client = await opened
      return (await client.query<R>(sql, values)).rows
    } catch (error) {
      throw translate(error, committing)
    }
  }

  /** @param work whether what it did is to stay */
  async function transaction(work: () => Promise<boolean>): Promise<boolean> {
    await ask('BEGIN')
    let isToStay = false
    try {
      await ask(`SET LOCAL statement_timeout = ${STATEMENT_MS}`)
      await ask(`SET LOCAL idle_in_transaction_session_timeout = ${IDLE_MS}`)
      isToStay = await work()
    } finally {
      // A connection that broke has undone it.
      if (!isToStay) await ask('ROLLBACK').catch(() => {})
    }
    if (isToStay) await ask('COMMIT', [], true)
    return isToStay
  }

  async function isThere(name: string): Promise<boolean> {
    const [row] = await ask<{ there: boolean }>('SELECT pg_catalog.to_regclass($1) IS NOT NULL AS there', [
      name,
    ])
    return row?.there === true
  }

  /** What is there is left as it is: somebody may be allowed to write, and not to make anything. */
  async function make(): Promise<void> {
    const isLoadsThere = await isThere(loads)
    const isTableThere = await isThere(table)
    if (isLoadsThere && isTableThere) return
    await transaction(async () => {
      // Two that make the same table at once may fail, although they say that it may be there.
      await ask('SELECT pg_catalog.pg_advisory_xact_lock($1)', [MAKING])
      if (!isLoadsThere)
        await ask(`CREATE TABLE IF NOT EXISTS ${loads} (
          delivery text, partition integer, first_offset bigint, last_offset bigint NOT NULL, manifest text NOT NULL,
          table_name text NOT NULL, delivered bigint NOT NULL, inserted bigint NOT NULL,
          loaded_at timestamptz NOT NULL DEFAULT now(), PRIMARY KEY (delivery, partition, first_offset))`)
      const own = ENRICHED_EVENT_FIELDS.map(
        ({ name, type, nullable }) => `${quoted(name)} ${TYPES[type]}${nullable ? '' : ' NOT NULL'}`,
      )
      const key = KEY.map(quoted).join(', ')
      if (!isTableThere)
        await ask(`CREATE TABLE IF NOT EXISTS ${table} (${own.join(', ')}, PRIMARY KEY (${key}))`)
      return true
    })
  }

  /** Names of the table's columns that events have. @throws DependencyError `rejected` for a table without its key */
  async function columnsOf(): Promise<readonly string[]> {
    const rows = await ask<{ name: string }>(
      `SELECT attname AS name FROM pg_catalog.pg_attribute
        WHERE attrelid = pg_catalog.to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
      [table],
    )
    const there = new Set(rows.map(({ name }) => name))
    const missing = KEY.find((name) => !there.has(name))
    if (missing !== undefined)
      throw new DependencyError(
        'destination',
        'rejected',
        `The table ${table} has no column ${missing}. It needs dataset_id and event_id with a unique index over both; or name one that is not there, and it is made.`,
      )
    return ENRICHED_EVENT_FIELDS.map(({ name }) => name as string).filter((name) => there.has(name))
  }

  async function ready(): Promise<readonly string[]> {
    if (columns === null) {
      await make()
      columns = await columnsOf()
    }
    return columns
  }

  return {
    async prepare() {
      const sql = insertion(table, await ready())
      // Statements of nothing show rights and an index that are missing, as those of rows would.
      await transaction(async () => {
        await ask(noted(loads), ['-', 0, 0, 0, '-', address.table_name])
        await ask(sql, ['[]'])
        return false
      })
    },
    async load({ delivery, source, manifest }: LoadedBatch, rows) {
      const sql = insertion(table, await ready())
      const { partition, start, end } = source
      return transaction(async () => {
        // Who loads the same batch waits here until the other one is done.
        const mine = await ask(noted(loads), [delivery, partition, start, end, manifest, address.table_name])
        if (mine.length === 0) return false
        let inserted = 0
        for (const part of parts(rows)) {
          const [counted] = await ask<{ inserted: string }>(sql, [storableJson(`[${part.join(',')}]`)])
          inserted += Number(counted?.inserted)
        }
        await ask(
          `UPDATE ${loads} SET delivered = $4, inserted = $5
            WHERE delivery = $1 AND partition = $2 AND first_offset = $3`,
          [delivery, partition, start, rows.length, inserted],
        )
        return true
      })
    },
    async close() {
      const client = await opened?.catch(() => null)
      await client?.end().catch(() => {})
    },
  }
}

/** Notes that a batch is there, unless it is; a row where it was not. */
function noted(loads: string): string {
  return `INSERT INTO ${loads} (delivery, partition, first_offset, last_offset, manifest, table_name, delivered, inserted)
    VALUES ($1, $2, $3, $4, $5, $6, 0, 0) ON CONFLICT DO NOTHING RETURNING partition`
}

/** Writes a JSON list of events; how many of them were not there. One that stands there twice is written once. */
function insertion(table: string, columns: readonly string[]): string {
  const types = new Map<string, string>(ENRICHED_EVENT_FIELDS.map(({ name, type }) => [name, TYPES[type]]))
  const names = columns.map(quoted).join(', ')
  const key = KEY.map(quoted).join(', ')
  const record = columns.map((name) => `${quoted(name)} ${types.get(name)}`).join(', ')
  const changes = columns.map((name) => `${quoted(name)} = EXCLUDED.${quoted(name)}`).join(', ')
  return `WITH written AS (
    INSERT INTO ${table} (${names})
    SELECT DISTINCT ON (${key}) ${names} FROM pg_catalog.json_to_recordset($1::json) AS event(${record})
    ON CONFLICT (${key}) DO UPDATE SET ${changes} RETURNING (xmax = 0) AS is_new)
    SELECT count(*) FILTER (WHERE is_new) AS inserted FROM written`
}

function* parts(rows: readonly string[]): Generator<readonly string[]> {
  let from = 0
  let characters = 0
  for (const [index, row] of rows.entries()) {
    if (index > from && characters + row.length > STATEMENT_CHARACTERS) {
      yield rows.slice(from, index)
      from = index
      characters = 0
    }
    characters += row.length
  }
  if (from < rows.length) yield rows.slice(from)
}

function quoted(name: string): string {
  return `"${name.replaceAll('"', '""')}"`
}
