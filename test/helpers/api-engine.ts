import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import type { ClickHouse } from '../../services/core/clickhouse/clickhouse.ts'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { migrate } from '../../services/core/clickhouse/migrate.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { type AskedQuestion, recordingEnvironment } from '../services/query-api/recording-environment.ts'

/**
 * The query API over the real engine, with a database of its own.
 *
 * @param overrides of the recording environment, beside ClickHouse
 * @param note      told every statement that is asked, before it is
 */
export async function openApiEngine(
  overrides: Parameters<typeof recordingEnvironment>[1] = {},
  note: (asked: AskedQuestion) => void = () => {},
) {
  const database = `api_${randomBytes(6).toString('hex')}`
  const settings = parseSettings(CLICKHOUSE_SETTINGS, {
    MILLRACE_CLICKHOUSE_URL: inject('clickhouseUrl'),
    MILLRACE_CLICKHOUSE_DATABASE: database,
    // Bounds against hanging; a busy machine is no failure.
    MILLRACE_CLICKHOUSE_REQUEST_TIMEOUT: '150s',
  })
  const admin = openClickHouse(settings, null)
  const clickhouse = openClickHouse(settings)
  await migrate(admin, database)
  const cost = {
    executionSecondsMax: 120,
    rowsReadMax: 100_000_000,
    memoryBytesMax: 1_500_000_000,
    resultBytesMax: 50_000_000,
    streamSecondsMax: 60,
  }
  const noted: ClickHouse = {
    ...clickhouse,
    query(sql, parameters = {}, options = {}) {
      note({ sql, parameters, options })
      return clickhouse.query(sql, parameters, options)
    },
    stream(sql, parameters = {}, options = {}) {
      note({ sql, parameters, options })
      return clickhouse.stream(sql, parameters, options)
    },
  }
  const api = recordingEnvironment(undefined, { clickhouse: noted, cost, ...overrides })
  return {
    ...api,
    clickhouse,
    /** Lines of JSON into a table; `dataset_id` is `shop` where it is left out. */
    async insert(table: string, rows: readonly object[]): Promise<void> {
      const lines = rows.map((row) => JSON.stringify({ dataset_id: 'shop', ...row })).join('\n')
      await clickhouse.insert(table, 'JSONEachRow', Buffer.from(lines), {
        date_time_input_format: 'best_effort',
        async_insert: 0,
      })
    },
    async close(): Promise<void> {
      await admin.command(`DROP DATABASE IF EXISTS \`${database}\``)
      await Promise.all([clickhouse.close(), admin.close(), api.app.close()])
    },
  }
}
export type ApiEngine = Awaited<ReturnType<typeof openApiEngine>>
