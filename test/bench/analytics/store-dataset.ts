import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ClickHouse, QuerySettings } from '../../../services/core/clickhouse/clickhouse.ts'
import { systemClock } from '../../../services/core/runtime/clock.ts'
import { statementsIn } from '../../../services/core/runtime/migration-files.ts'
import { createBindings } from '../../../services/query-api/query/bindings.ts'
import { personIdSql } from '../../../services/query-api/query/person-rows.ts'

/** Events of a person on average. */
const EVENTS_PER_PERSON = 50
/** Rows of a part as it is written: those of one batch of the sink. */
const BATCH_ROWS = 100_000
/** Rows of one statement: as many as the engine makes well within a request's time. */
const STATEMENT_ROWS = 500_000

const INSERT_SETTINGS: QuerySettings = {
  max_block_size: BATCH_ROWS,
  max_insert_threads: 1,
  min_insert_block_size_rows: BATCH_ROWS,
  min_insert_block_size_bytes: 0,
}

export interface StoredDataset {
  readonly dataset: string
  readonly events: number
  /** Its last event lies just before it. Epoch ms. */
  readonly endMs: number
}

/** Stores events and people as the sinks would have written them, and waits until the engine has merged the parts. */
export async function storeDataset(clickhouse: ClickHouse, stored: StoredDataset): Promise<void> {
  const { dataset, events, endMs } = stored
  const people = Math.floor(events / EVENTS_PER_PERSON)
  const parameters = { dataset, events, people, end: endMs }
  const settings = INSERT_SETTINGS
  const insertEvents = sqlOf('events').join('')
  for (let from = 0; from < events; from += STATEMENT_ROWS) {
    const count = Math.min(STATEMENT_ROWS, events - from)
    await clickhouse.command(insertEvents, { ...parameters, from, count }, { settings })
  }
  const bindings = createBindings()
  const persons = personsSql(personIdSql('key', dataset, bindings))
  for (const sql of sqlOf('people'))
    await clickhouse.command(
      sql.replace('{persons}', persons),
      { ...parameters, ...bindings.parameters },
      { settings },
    )
}

function personsSql(id: string): string {
  return (
    `SELECT number, key, ${id} AS id, created FROM (SELECT number, ` +
    "concat('anon-', lower(leftPad(hex(sipHash64(2, number)), 16, '0'))) AS key, " +
    "fromUnixTimestamp64Milli({end:Int64} - toInt64(sipHash64(30, number) % (90 * 86400000)), 'UTC') AS created " +
    'FROM numbers({people:UInt64}))'
  )
}

function sqlOf(name: string): readonly string[] {
  return statementsIn(readFileSync(join(import.meta.dirname, `${name}.sql`), 'utf8'))
}

/** Resolves when no part is being merged, and none has been for a moment. */
export async function mergesEnded(clickhouse: ClickHouse): Promise<void> {
  for (let quiet = 0; quiet < 3; ) {
    const [row] = await clickhouse.query<{ merges: number | string }>(
      'SELECT count() AS merges FROM system.merges WHERE database = currentDatabase()',
    )
    quiet = Number(row?.merges ?? 0) === 0 ? quiet + 1 : 0
    await systemClock.sleep(1_000)
  }
}
