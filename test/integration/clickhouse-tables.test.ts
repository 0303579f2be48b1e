import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { ClickHouse } from '../../services/core/clickhouse/clickhouse.ts'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { insertSettings } from '../../services/core/clickhouse/insert-settings.ts'
import { migrate } from '../../services/core/clickhouse/migrate.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { needs } from '../helpers/needs.ts'
import { enrichedEvent } from '../services/s3-sink/enriched-rows.ts'

const database = `t_${randomBytes(4).toString('hex')}`
const MONTHS = 240

describe('the tables as the migrations make them', needs('chdb'), () => {
  let root: ClickHouse
  let clickhouse: ClickHouse

  beforeAll(async () => {
    const settings = parseSettings(CLICKHOUSE_SETTINGS, {
      MILLRACE_CLICKHOUSE_URL: inject('clickhouseUrl'),
      MILLRACE_CLICKHOUSE_DATABASE: database,
    })
    root = openClickHouse(settings, null)
    await migrate(root, database)
    clickhouse = openClickHouse(settings)
  })
  afterAll(async () => {
    await clickhouse.close()
    await root.command(`DROP DATABASE ${database}`)
    await root.close()
  })

  /** Events of as many months as given, ten years back and ten ahead, all received at the same time. */
  const batch = Array.from({ length: MONTHS }, (_, month) =>
    enrichedEvent(month, {
      event_time: new Date(Date.UTC(2016, month, 15)).toISOString(),
      collector_time: '2026-01-31T10:00:00.000Z',
    }),
  )
  const lines = Buffer.from(batch.map((event) => `${JSON.stringify(event)}\n`).join(''))

  test('events of twenty years in one batch go through, where a table by months as sent refuses them', async () => {
    // What the server does without the clamp: this is what the next insert must not meet.
    await clickhouse.command(
      "CREATE TABLE unclamped (event_time DateTime64(3, 'UTC')) ENGINE = MergeTree PARTITION BY toYYYYMM(event_time) ORDER BY event_time",
    )
    await expect(
      clickhouse.insert('unclamped', 'JSONEachRow', lines, insertSettings(MONTHS)),
    ).rejects.toThrow(/[Tt]oo many partitions/)

    await clickhouse.insert('events', 'JSONEachRow', lines, insertSettings(MONTHS))
    const [row] = await clickhouse.query(
      `SELECT toUInt32(count()) AS rows, toUInt32(uniqExact(toYYYYMM(event_time))) AS months,
              toUInt32(uniqExact(_partition_id)) AS partitions FROM events`,
    )
    expect(row).toMatchObject({ rows: MONTHS, months: MONTHS })
    expect((row as { partitions: number }).partitions).toBeLessThanOrEqual(26)
  })
})
