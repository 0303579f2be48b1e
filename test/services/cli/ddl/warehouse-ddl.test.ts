import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DuckDBInstance } from '@duckdb/node-api'
import { expect, test } from 'vitest'
import { ENRICHED_EVENT_FIELDS } from '../../../../schemas/enriched-event/v1.ts'
import type { Field } from '../../../../schemas/field.ts'
import { REJECTED_EVENT_FIELDS } from '../../../../schemas/rejected-event/v1.ts'
import { WAREHOUSES, warehouseDdl } from '../../../../services/cli/ddl/warehouse-ddl.ts'

const SAMPLE = [
  { name: 'id', type: 'text', nullable: false, group: 'g', doc: 'd' },
  { name: 'offset', type: 'integer', nullable: false, group: 'g', doc: 'd' },
  { name: 'amount', type: 'number', nullable: true, group: 'g', doc: 'd' },
  { name: 'is_bot', type: 'boolean', nullable: true, group: 'g', doc: 'd' },
  { name: 'at', type: 'timestamp', nullable: false, group: 'g', doc: 'd' },
  { name: 'tags', type: 'text_list', nullable: true, group: 'g', doc: 'd' },
  { name: 'set', type: 'json', nullable: true, group: 'g', doc: 'd' },
  { name: 'codes', type: 'text_list', nullable: false, group: 'g', doc: 'd' },
] as const satisfies readonly Field[]

test.each(WAREHOUSES)(
  '%s: every type, null or not, and the load statement, as on file',
  async (warehouse) => {
    await expect(warehouseDdl(warehouse, 'events', SAMPLE, 'at')).toMatchFileSnapshot(
      join(import.meta.dirname, `../../../fixtures/ddl/${warehouse}.sql`),
    )
  },
)

test.each(WAREHOUSES)('%s has every column of both streams, in their order', (warehouse) => {
  for (const fields of [ENRICHED_EVENT_FIELDS, REJECTED_EVENT_FIELDS] as const) {
    const [create] = warehouseDdl(warehouse, 't', fields, 'collector_time').split(';')
    const names = [...create!.matchAll(/^ {2}["`](\w+)["`] /gm)].map(([, name]) => name!.toLowerCase())
    expect(names).toEqual(fields.map(({ name }) => name))
  }
})

test('DuckDB takes its table, and loads files into it with the statement that is printed', async () => {
  const duckdb = await DuckDBInstance.create(':memory:')
  const connection = await duckdb.connect()
  const [create, load] = warehouseDdl('duckdb', 'events', ENRICHED_EVENT_FIELDS, 'event_time').split(';\n\n')
  await connection.run(create!)
  const directory = mkdtempSync(join(tmpdir(), 'millrace-ddl-'))
  const file = join(directory, 'rows.parquet')
  await connection.run(
    `COPY (SELECT * REPLACE ('{"a":1}'::JSON AS properties) FROM (
       SELECT ${ENRICHED_EVENT_FIELDS.map(({ name, type, nullable }) => `${SAMPLE_VALUES[type](nullable)} AS "${name}"`).join(', ')}
     )) TO '${file}' (FORMAT parquet)`,
  )
  await connection.run(load!.replace('s3://<bucket>/<object>', file))
  const rows = await connection.runAndReadAll(
    `SELECT count(*)::INT AS n, max(properties->>'a') AS a, max(event_time)::VARCHAR AS at FROM events`,
  )
  expect(rows.getRowObjectsJson()).toEqual([{ n: 1, a: '1', at: expect.stringContaining('2026-01-01') }])
  connection.closeSync()
  rmSync(directory, { recursive: true })
})

const SAMPLE_VALUES: Readonly<Record<Field['type'], (nullable: boolean) => string>> = {
  text: (nullable) => (nullable ? 'NULL::VARCHAR' : `'x'`),
  integer: () => '1::BIGINT',
  number: () => '1.5::DOUBLE',
  boolean: () => 'true',
  timestamp: () => `'2026-01-01T12:00:00Z'::TIMESTAMPTZ`,
  text_list: () => `['a', 'b']`,
  json: (nullable) => (nullable ? 'NULL::JSON' : `'{}'::JSON`),
}
