import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest'
import type { ClickHouse } from '../../services/core/clickhouse/clickhouse.ts'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { insertSettings } from '../../services/core/clickhouse/insert-settings.ts'
import { migrate, readMigrations } from '../../services/core/clickhouse/migrate.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { createBindings } from '../../services/query-api/query/bindings.ts'
import { propertySql } from '../../services/query-api/query/event-properties.ts'
import { STORED_EVENTS } from '../../services/query-api/query/stored-events.ts'
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

  test('what questions read of an event is the same for rows from before its columns were added', async () => {
    const database = `t_${randomBytes(4).toString('hex')}`
    const VERSION_BEFORE = 8
    await migrate(root, database, readMigrations().slice(0, VERSION_BEFORE))
    const texts = {
      plan: 'pro',
      'Größe "neu"': 'a "quote", a \\ and a \n',
      'a.b': 1.5,
      big: 9007199254740991,
      list: [1, 'x', null],
      object: { plan: 'inner' },
      yes: true,
      none: null,
      empty: '',
      null: 'null',
    }
    const insert = (index: number) =>
      root.insert(
        `${database}.events`,
        'JSONEachRow',
        Buffer.from(JSON.stringify(enrichedEvent(index, { properties: texts, distinct_id: 'ada' }))),
        insertSettings(1),
      )
    await insert(1)
    await migrate(root, database)
    await insert(2)
    const keys = [...Object.keys(texts), 'missing']
    const bindings = createBindings()
    const columns = keys.map((key, n) => {
      const { isSet, text } = propertySql(key, bindings.bind(key, 'String'))
      return `if(${isSet}, ${text}, NULL) AS k${n}`
    })
    const rows = await root.query<Record<string, string | null>>(
      `SELECT ${columns.join(', ')}, toString(distinct_hash = sipHash64('ada')) AS hashed
       FROM (${STORED_EVENTS.replace('FROM events', `FROM ${database}.events`)}) ORDER BY src_offset`,
      bindings.parameters,
    )
    const textOf = (value: unknown) => (typeof value === 'string' ? value : JSON.stringify(value))
    const expected = Object.fromEntries(
      keys.map((key, n) => {
        const value = (texts as Record<string, unknown>)[key] ?? null
        return [`k${n}`, value === null ? null : textOf(value)]
      }),
    )
    expect(rows).toEqual([
      { ...expected, hashed: '1' },
      { ...expected, hashed: '1' },
    ])
    await root.command(`DROP DATABASE ${database}`)
  })

  test('what an event is called on a path is the same for rows from before its column was added', async () => {
    const database = `t_${randomBytes(4).toString('hex')}`
    const VERSION_BEFORE = 9
    await migrate(root, database, readMigrations().slice(0, VERSION_BEFORE))
    const page = (event: string, url: string | null, own?: unknown) => ({
      event,
      url,
      properties: own === undefined ? {} : { $current_url: own },
    })
    const screen = (screen_name: string | null, own?: unknown) => ({
      event: '$screen',
      screen_name,
      properties: own === undefined ? {} : { $screen_name: own },
    })
    const called: readonly (readonly [Readonly<Record<string, unknown>>, string])[] = [
      [page('page_view', 'https://shop.example/a//'), 'https://shop.example/a'],
      [page('$pageview', '/'), '/'],
      [
        page('$pageview', 'https://shop.example/', 'https://own.example/"quoted"/'),
        'https://own.example/"quoted"',
      ],
      [page('$pageview', 'https://shop.example/', null), 'https://shop.example'],
      [page('$pageview', 'https://shop.example/', 5), '5'],
      [page('$pageview', null), ''],
      [screen('Home'), 'Home'],
      [screen('Home', 'Cart/'), 'Cart/'],
      [screen(null), ''],
      [{ event: '$autocapture', url: 'https://shop.example/' }, '$autocapture'],
      [{ event: 'purchase', url: 'https://shop.example/' }, 'purchase'],
    ]
    const insert = (from: number) => {
      const events = called.map(([event], index) => enrichedEvent(from + index, event))
      const body = Buffer.from(events.map((event) => `${JSON.stringify(event)}\n`).join(''))
      return root.insert(`${database}.events`, 'JSONEachRow', body, insertSettings(called.length))
    }
    await insert(0)
    await migrate(root, database)
    await insert(called.length)
    const rows = await root.query<{ stop: string }>(
      `SELECT toString(stop_hash) AS stop FROM ${database}.events ORDER BY src_offset`,
    )
    const [expected] = await root.query<{ stops: string[] }>(
      "SELECT arrayMap(name -> if(name = '', '0', toString(sipHash64(name))), {names:Array(String)}) AS stops",
      { names: called.map(([, name]) => name) },
    )
    expect(rows.map(({ stop }) => stop)).toEqual([...expected!.stops, ...expected!.stops])
    await root.command(`DROP DATABASE ${database}`)
  })
})
