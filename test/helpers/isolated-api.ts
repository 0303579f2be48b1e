import { createQueryGate } from '../../services/query-api/http/query-gate.ts'
import { datasetFilters } from '../../services/query-api/query/dataset-filters.ts'
import { STORED_TABLES } from '../../services/query-api/sql/views.ts'
import { type AskedQuestion, recordingEnvironment } from '../services/query-api/recording-environment.ts'
import { openApiEngine } from './api-engine.ts'
import { guardedTables } from './guarded-statement.ts'
import { storeHistories } from './insight-engine.ts'
import { FOREIGN, type RandomRequest } from './random-requests.ts'
import { HOSTILE } from './random-sql.ts'
import { storeRecordings } from './recordings-engine.ts'
import { historyOf, OWN, recordingsOf, rowsBeside, saveNamed } from './two-datasets.ts'

/** What names and values of requests are drawn from. */
export const REQUEST_TEXTS: readonly string[] = [...HOSTILE, ...FOREIGN]
/** As many that are all different and break nothing. */
export const PLAIN_TEXTS: readonly string[] = REQUEST_TEXTS.map((_, n) => `plain${n}`)

const MANY_AT_ONCE = { gate: createQueryGate(16, 16) }

type Api = Pick<ReturnType<typeof recordingEnvironment>, 'app'>

/** Sends a request about {@link OWN}. */
export function senderOf({ app }: Api, key: string) {
  return async ({ method, url, body }: RandomRequest) => {
    const response = await app.inject({
      method,
      url: `/api/datasets/${OWN}/${url}`,
      headers: { authorization: `Bearer ${key}` },
      ...(body === undefined ? {} : { payload: body }),
    })
    return { status: response.statusCode, text: response.body }
  }
}

/** The query API over a ClickHouse that notes statements, and answers so that most questions go on to their next one. */
export async function openIsolatedDouble() {
  const api = recordingEnvironment(plausibleRows, MANY_AT_ONCE)
  const { key, names } = await saveNamed(api, OWN, REQUEST_TEXTS)
  const send = senderOf(api, key)
  return {
    ...api,
    names,
    /** One at a time. */
    async ask(request: RandomRequest) {
      api.asked.length = 0
      api.lines.length = 0
      const { status, text } = await send(request)
      return { status, text, statements: [...api.asked] }
    },
  }
}

function plausibleRows({ sql, parameters }: AskedQuestion): readonly unknown[] {
  if (/ AS asked\b/.test(sql))
    return [{ asked: Object.values(parameters).find(Array.isArray)?.[0], key: 'u0' }]
  if (sql.startsWith('SELECT actor, amount FROM')) return [{ actor: 'u0', amount: 1 }]
  if (sql.startsWith('SELECT id, distinct_id, the_person')) return [SESSION]
  return []
}

const SESSION = {
  id: 's0',
  distinct_id: 'u0',
  the_person: 'u0',
  started_ms: 1_700_000_000_000,
  ended_ms: 1_700_000_001_000,
  active_seconds: 1,
  click_count: 1,
  keypress_count: 0,
  console_log_count: 0,
  console_warn_count: 0,
  console_error_count: 0,
  start_url: 'https://x.example/',
}

/**
 * The query API over the real engine, with what these datasets hold and have saved.
 *
 * @param note told every statement, before it is asked
 */
export async function openIsolatedEngine(
  datasets: readonly string[],
  note: (asked: AskedQuestion) => void = () => {},
) {
  const api = await openApiEngine(MANY_AT_ONCE, note)
  const saved = new Map<string, Awaited<ReturnType<typeof saveNamed>>>()
  for (const dataset of datasets) {
    await storeHistories(api.clickhouse, [historyOf(dataset)])
    for (const [table, rows] of Object.entries(rowsBeside(dataset))) await api.insert(table, rows)
    const stores = { clickhouse: api.clickhouse, store: api.store, bucket: 'millrace' }
    await storeRecordings(stores, recordingsOf(dataset), 0)
    saved.set(dataset, await saveNamed(api, dataset, REQUEST_TEXTS))
  }
  const own = saved.get(OWN)
  if (own === undefined) throw new Error(`Nobody asks without ${OWN}.`)
  return { ...api, names: own.names, send: senderOf(api, own.key) }
}

const SECOND_FILTER = datasetFilters(STORED_TABLES, OWN)

/**
 * Holds a statement to the one dataset: by its text, and where the engine is told once more, by that.
 *
 * @returns how many tables it reads
 * @throws Error for one that reads anything else
 */
export function holdToDataset({ sql, parameters, options }: AskedQuestion): number {
  const filters = options.settings?.additional_table_filters
  if (filters !== undefined && filters !== SECOND_FILTER)
    throw new Error(`The engine is told ${filters} for: ${sql}`)
  return guardedTables(sql, parameters, OWN).length
}
