import { freePort } from '../../infra/engines/ports.ts'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { migrate } from '../../services/core/clickhouse/migrate.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { measureQuestion } from './analytics/measure-question.ts'
import { analyticsQuestions } from './analytics/questions.ts'
import { mergesEnded, storeDataset } from './analytics/store-dataset.ts'
import type { BenchContext } from './bench-context.ts'
import type { QuestionRow } from './report.ts'

/** Events of the first round for one of the second: how costs grow. */
const GROWTH = 10
/** Events of a second dataset in the same tables, for one of the first. */
const NEIGHBOUR = 10
const MINUTE_MS = 60_000
/** Of one statement; an answer that needs more fails. */
const MEMORY_BYTES_MAX = 1_500_000_000

/**
 * What a dashboard asks of the query API, over a tenth of so many events and over all of them. Each round has a database of
 * its own, filled as the sinks would have filled it.
 */
export async function benchAnalytics(context: BenchContext, events: number): Promise<readonly QuestionRow[]> {
  const rows: QuestionRow[] = []
  for (const size of [Math.floor(events / GROWTH), events]) rows.push(...(await round(context, size)))
  return rows
}

async function round(context: BenchContext, events: number): Promise<QuestionRow[]> {
  const { clickhouseUrl, clickhousePid, readKey: key, say } = context
  const environment = {
    MILLRACE_CLICKHOUSE_DATABASE: `analytics_${events}`,
    // Bounds against hanging: what takes long is to be measured.
    MILLRACE_CLICKHOUSE_REQUEST_TIMEOUT: '10m',
  }
  const settings = parseSettings(CLICKHOUSE_SETTINGS, {
    ...environment,
    MILLRACE_CLICKHOUSE_URL: clickhouseUrl,
  })
  const root = openClickHouse(settings, null)
  await migrate(root, settings.clickhouseDatabase)
  const clickhouse = openClickHouse(settings)
  const endMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS
  say(`analytics: ${events.toLocaleString('en-US')} events are stored.`)
  await storeDataset(clickhouse, { dataset: 'blog', events: Math.floor(events / NEIGHBOUR), endMs })
  await storeDataset(clickhouse, { dataset: 'shop', events, endMs })
  await mergesEnded(clickhouse)
  const port = await freePort()
  const api = await context.start('query-api', {
    ...environment,
    MILLRACE_QUERY_PORT: String(port),
    MILLRACE_QUERY_RATE_LIMITS: 'false',
    MILLRACE_QUERY_SECONDS_MAX: '600',
    MILLRACE_QUERY_MEMORY_BYTES_MAX: String(MEMORY_BYTES_MAX),
  })
  const url = `http://127.0.0.1:${port}/api/datasets/shop`
  const rows: QuestionRow[] = []
  for (const question of analyticsQuestions(endMs)) {
    say(`analytics: ${question.name}.`)
    rows.push(await measureQuestion({ url, key, clickhouse, clickhousePid }, question, events))
  }
  await api.stop()
  await root.command(`DROP DATABASE \`${settings.clickhouseDatabase}\``)
  await Promise.all([clickhouse.close(), root.close()])
  return rows
}
