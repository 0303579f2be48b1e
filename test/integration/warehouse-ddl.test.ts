import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Session as ChdbSession } from 'chdb'
import { expect, onTestFinished, test } from 'vitest'
import { ENRICHED_EVENT_FIELDS } from '../../schemas/enriched-event/v1.ts'
import { REJECTED_EVENT_FIELDS } from '../../schemas/rejected-event/v1.ts'
import { warehouseDdl } from '../../services/cli/ddl/warehouse-ddl.ts'
import { openDuckdbEncoder } from '../../services/s3-sink/duckdb-encoder.ts'
import { needs } from '../helpers/needs.ts'
import { enrichedEvent } from '../services/s3-sink/enriched-rows.ts'

/** A ClickHouse of this test alone: reading files is refused by the one that the stages share. */
function openSession(): ChdbSession {
  const { Session } = createRequire(import.meta.url)('chdb') as { Session: typeof ChdbSession }
  const session = new Session()
  onTestFinished(() => session.cleanup())
  return session
}

test('ClickHouse takes the tables, and a Parquet file by the statement that is printed', {
  timeout: 120_000,
  ...needs('chdb'),
}, async () => {
  const dir = mkdtempSync(join(tmpdir(), 'warehouse-ddl-'))
  const encoder = await openDuckdbEncoder(256 * 1024 * 1024, dir)
  onTestFinished(() => {
    encoder.close()
    rmSync(dir, { recursive: true, force: true })
  })
  const [from, to] = [join(dir, 'rows.ndjson'), join(dir, 'rows.parquet')]
  const events = [1, 2, 3].map((index) => enrichedEvent(index))
  writeFileSync(from, events.map((event) => `${JSON.stringify(event)}\n`).join(''))
  const table = { format: 'parquet', pages: 'zstd' } as const
  expect(await encoder.encode(from, events.length, ENRICHED_EVENT_FIELDS, table, to)).toBeNull()

  const session = openSession()
  session.query('CREATE DATABASE warehouse')
  session.query('USE warehouse')
  const [rejected] = warehouseDdl(
    'clickhouse',
    'rejected_events',
    REJECTED_EVENT_FIELDS,
    'collector_time',
  ).split(';\n\n')
  session.query(rejected!)
  const [create, load] = warehouseDdl('clickhouse', 'events', ENRICHED_EVENT_FIELDS, 'event_time').split(
    ';\n\n',
  )
  session.query(create!)
  // The statement as printed, but for where the object lies.
  const local = load!.replace(/s3\('[^']*', 'Parquet'\)/, `file('${to}', 'Parquet')`)
  expect(local).not.toBe(load)
  session.query(local)

  const rows = session
    .query(
      'SELECT event_id, page_title, content_tags, content_authors, revenue_amount, is_bot, user_id, properties, toString(event_time) AS at FROM events ORDER BY event_id',
      'JSONEachRow',
    )
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>)
  expect(rows).toEqual(
    events.map((event) => ({
      event_id: event.event_id,
      page_title: event.page_title,
      content_tags: event.content_tags,
      content_authors: [],
      revenue_amount: event.revenue_amount,
      is_bot: event.is_bot,
      user_id: null,
      properties: JSON.stringify(event.properties),
      at: event.event_time.replace('T', ' ').replace('Z', ''),
    })),
  )
})
