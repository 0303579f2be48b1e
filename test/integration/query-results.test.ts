import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, expect, inject, test } from 'vitest'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { createMetrics } from '../../services/core/runtime/metrics.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { type Question, zoneOf } from '../../services/query-api/query/question.ts'
import { createResults, type ResultRequest } from '../../services/query-api/results/results.ts'
import { type InsightEngine, openInsightEngine } from '../helpers/insight-engine.ts'

/** Reads for half a minute unless it is ended. */
const LONG =
  'SELECT sum(cityHash64(number, number + 1)) AS sum FROM numbers(30000000000) SETTINGS max_rows_to_read = 0'
const DATASET = `long_${randomBytes(4).toString('hex')}`

let engine: InsightEngine
const admin = openClickHouse(
  parseSettings(CLICKHOUSE_SETTINGS, { MILLRACE_CLICKHOUSE_URL: inject('clickhouseUrl') }),
  null,
)
beforeAll(async () => {
  engine = await openInsightEngine()
})
afterAll(async () => {
  await engine.close()
  await admin.close()
})

function questionOf(signal: AbortSignal): Question {
  const dataset = { id: DATASET, account: 'acme' }
  return { dataset, zone: zoneOf(dataset), signal }
}

async function until(holds: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + 60_000
  while (!(await holds())) {
    if (performance.now() > deadline) throw new Error('This did not come about.')
    await systemClock.sleep(50)
  }
}

const running = async () => {
  const [row] = await admin.query<{ n: string }>(
    "SELECT count() AS n FROM system.processes WHERE query LIKE '%numbers(30000000000)%' AND query NOT LIKE '%system.processes%'",
  )
  return Number(row?.n)
}

test('an asynchronous question tells the rows that it has read, and ends in ClickHouse when it is cancelled', async () => {
  const results = createResults({
    needs: { ...engine.needs, askTable: engine.askTable },
    limits: { resultsBytesMax: 1_000_000, resultsAgeMaxMs: 60_000, asyncMax: 2 },
    clock: systemClock,
    randomBytes,
    metrics: createMetrics(),
    logger: createLogger('test', 'error'),
  })
  const request: ResultRequest = {
    question: questionOf(new AbortController().signal),
    asked: 'long',
    freshMs: 1_000,
    refresh: { refresh: 'force_async', clientQueryId: 'long' },
    compute: ({ ask }, question) => ask(question, () => LONG),
  }
  await results.answer(request)
  const rowsRead = async () =>
    (await results.status(request.question, 'long'))?.query_progress?.rows_read ?? 0
  await until(async () => (await rowsRead()) > 0)
  const before = await rowsRead()
  await until(async () => (await rowsRead()) > before)
  expect(await running()).toBe(1)
  expect(results.cancel(DATASET, 'long')).toBe(true)
  await until(async () => (await running()) === 0)
  expect(await results.status(request.question, 'long')).toMatchObject({ complete: true, error: true })
})

test('a question that is waited for ends in ClickHouse when it is cancelled by its name', async () => {
  const results = createResults({
    needs: { ...engine.needs, askTable: engine.askTable },
    limits: { resultsBytesMax: 1_000_000, resultsAgeMaxMs: 60_000, asyncMax: 2 },
    clock: systemClock,
    randomBytes,
    metrics: createMetrics(),
    logger: createLogger('test', 'error'),
  })
  const answer = results.answer({
    question: questionOf(new AbortController().signal),
    asked: 'waited for',
    freshMs: 1_000,
    refresh: { refresh: 'blocking', clientQueryId: 'waited' },
    compute: ({ ask }, question) => ask(question, () => LONG),
  })
  const ended = expect(answer).rejects.toMatchObject({ status: 400, body: { code: 'query_cancelled' } })
  await until(async () => (await running()) === 1)
  expect(results.cancel(DATASET, 'waited')).toBe(true)
  await ended
  await until(async () => (await running()) === 0)
})
