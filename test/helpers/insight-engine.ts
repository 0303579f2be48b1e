import { randomBytes } from 'node:crypto'
import { inject } from 'vitest'
import { ENRICHED_EVENT_FIELDS } from '../../schemas/enriched-event/v1.ts'
import type { ClickHouse } from '../../services/core/clickhouse/clickhouse.ts'
import { CLICKHOUSE_SETTINGS } from '../../services/core/clickhouse/clickhouse-settings.ts'
import { openClickHouse } from '../../services/core/clickhouse/http-clickhouse.ts'
import { migrate } from '../../services/core/clickhouse/migrate.ts'
import { personIdOf } from '../../services/core/event/person-id.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { createMetrics } from '../../services/core/runtime/metrics.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import type { Definitions } from '../../services/query-api/insights/definitions.ts'
import type { InsightNeeds } from '../../services/query-api/insights/frame.ts'
import { createAsk, createTell, type Tell } from '../../services/query-api/query/ask.ts'
import { type AskTable, createAskTable } from '../../services/query-api/query/ask-table.ts'
import { NO_FILTERS } from '../../services/query-api/query/property-filters.ts'
import { type Question, zoneOf } from '../../services/query-api/query/question.ts'
import { createResults, type Results } from '../../services/query-api/results/results.ts'
import { SQL_ROWS } from '../../services/query-api/sql/sql-limits.ts'
import { STORED_TABLES } from '../../services/query-api/sql/views.ts'
import type { Happening, History } from '../reference/history.ts'

/** Questions that run at the same time: as many as the embedded engine has readers. */
const CONCURRENT = 4
/** After so many wrong answers the rest is not asked. */
const FAILURES_MAX = 5
export const NOW_MS = Date.parse('2026-11-10T12:00:00Z')

/** Results that are computed by an engine, and kept. */
export function resultsOf({ needs, askTable }: InsightEngine): Results {
  return createResults({
    needs: { ...needs, askTable },
    limits: { resultsBytesMax: 10_000_000, resultsAgeMaxMs: 60_000, asyncMax: 1 },
    clock: { ...systemClock, now: () => NOW_MS },
    randomBytes,
    metrics: createMetrics(),
    logger: createLogger('test', 'error'),
  })
}

/** Of a dataset for which nothing was saved. */
const NO_DEFINITIONS: Definitions = {
  action: async () => null,
  cohort: async () => null,
  testAccountFilters: async () => NO_FILTERS,
}

const EMPTY_EVENT = Object.fromEntries(
  ENRICHED_EVENT_FIELDS.map(({ name, type }) => [name, type === 'text_list' ? [] : null]),
)

function eventRow(dataset: string, event: Happening): string {
  return JSON.stringify({
    ...EMPTY_EVENT,
    schema_version: 1,
    event_id: `${dataset} ${event.offset}`,
    dataset_id: dataset,
    event: event.event,
    distinct_id: event.distinctId,
    session_id: event.session,
    groups: Object.keys(event.groups).length === 0 ? null : JSON.stringify(event.groups),
    event_time: new Date(event.timeMs).toISOString(),
    collector_time: new Date(event.timeMs).toISOString(),
    time_corrected_ms: 0,
    protocol: 'native',
    src_partition: event.partition,
    src_offset: event.offset,
    recipe: 'r',
    url: event.url,
    properties: JSON.stringify(event.properties),
    ...event.columns,
  })
}

function rowsOf(history: History): Record<string, string[]> {
  const { dataset, persons, overrides, groups, groupTypes } = history
  const dataset_id = dataset
  const time = (ms: number) => new Date(ms).toISOString()
  return {
    events: history.events.map((event) => eventRow(dataset, event)),
    person_overrides: overrides.map(({ id, person, version }) =>
      JSON.stringify({ dataset_id, distinct_id: id, person_key: person, version }),
    ),
    person_override_changes: overrides.map(({ id, person, version }) =>
      JSON.stringify({ dataset_id, distinct_id: id, person_key: person, version, valid_from: time(0) }),
    ),
    persons: persons.map((state) =>
      JSON.stringify({
        dataset_id,
        person_key: state.person,
        person_id: personIdOf(dataset_id, state.person),
        created_at: time(state.createdMs),
        is_identified: true,
        properties: JSON.stringify(state.properties),
        is_deleted: state.isDeleted,
        version: state.version,
      }),
    ),
    person_changes: persons.map((state) =>
      JSON.stringify({
        dataset_id,
        person_key: state.person,
        valid_from: time(state.validFromMs),
        version: state.version,
        change: 'set',
        reason: '',
        event_id: '',
        distinct_id: '',
        other_person_key: '',
        properties: JSON.stringify(state.properties),
        actor: '',
      }),
    ),
    groups: groups.map(({ index, key, properties, version }) =>
      JSON.stringify({
        dataset_id,
        group_type_index: index,
        group_key: key,
        created_at: time(0),
        properties: JSON.stringify(properties),
        is_deleted: false,
        version,
      }),
    ),
    group_types: groupTypes.map(({ name, index }) =>
      JSON.stringify({ dataset_id, group_type: name, group_type_index: index, version: 1 }),
    ),
  }
}

/** Stores many histories at once, one insert per table. */
export async function storeHistories(
  clickhouse: Pick<ClickHouse, 'insert'>,
  histories: readonly History[],
): Promise<void> {
  const tables = new Map<string, string[]>()
  for (const history of histories)
    for (const [table, rows] of Object.entries(rowsOf(history)))
      tables.set(table, [...(tables.get(table) ?? []), ...rows])
  for (const [table, rows] of tables)
    if (rows.length > 0)
      await clickhouse.insert(table, 'JSONEachRow', Buffer.from(rows.join('\n')), {
        date_time_input_format: 'best_effort',
        async_insert: 0,
      })
}

export interface InsightEngine {
  readonly needs: InsightNeeds
  readonly tell: Tell
  readonly clickhouse: ClickHouse
  readonly askTable: AskTable
  /** See {@link storeHistories}. */
  store(histories: readonly History[]): Promise<void>
  questionOf(history: History): Question
  close(): Promise<void>
}

/** A database of its own on the real engine, with what asks it as the query API does. */
export async function openInsightEngine(): Promise<InsightEngine> {
  const database = `insights_${randomBytes(6).toString('hex')}`
  const settings = parseSettings(CLICKHOUSE_SETTINGS, {
    MILLRACE_CLICKHOUSE_URL: inject('clickhouseUrl'),
    MILLRACE_CLICKHOUSE_DATABASE: database,
  })
  const admin = openClickHouse(settings, null)
  const clickhouse = openClickHouse(settings)
  await migrate(admin, database)
  const cost = {
    executionSecondsMax: 20,
    rowsReadMax: 100_000_000,
    memoryBytesMax: 1_500_000_000,
    resultBytesMax: 50_000_000,
  }
  const ask = createAsk(clickhouse, cost)
  return {
    tell: createTell(clickhouse, cost),
    needs: { ask, clock: { now: () => NOW_MS }, definitions: NO_DEFINITIONS },
    clickhouse,
    askTable: createAskTable(clickhouse, cost, STORED_TABLES, SQL_ROWS.max + 1),
    store: (histories) => storeHistories(clickhouse, histories),
    questionOf({ dataset, zone }) {
      const described = { id: dataset, account: 'test', timezone: zone }
      return { dataset: described, zone: zoneOf(described), signal: AbortSignal.timeout(600_000) }
    },
    async close() {
      await admin.command(`DROP DATABASE IF EXISTS \`${database}\``)
      await clickhouse.close()
      await admin.close()
    },
  }
}

/** Asks about all of them, a few at a time. */
export async function forEachHistory<T>(
  cases: readonly T[],
  check: (one: T, index: number) => Promise<void>,
): Promise<void> {
  let next = 0
  const failed: number[] = []
  let first: unknown
  const work = async () => {
    for (let index = next++; index < cases.length; index = next++) {
      try {
        await check(cases[index] as T, index)
      } catch (error) {
        failed.push(index)
        if (failed.length === 1) first = error
        if (failed.length === FAILURES_MAX) next = cases.length
      }
    }
  }
  await Promise.all(Array.from({ length: CONCURRENT }, work))
  if (first instanceof Error) first.message = `History ${failed.join(', ')}: ${first.message}`
  if (failed.length > 0) throw first
}
