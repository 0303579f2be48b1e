import { readFileSync } from 'node:fs'
import type { ClickHouse } from '../../../services/core/clickhouse/clickhouse.ts'
import { systemClock } from '../../../services/core/runtime/clock.ts'
import { type QuestionRow, quantile } from '../report.ts'
import type { AnalyticsQuestion } from './questions.ts'

/** Answers that are timed, after one that warms up and is watched. */
const TIMES = 20
const LOOK_EVERY_MS = 10
/** Of /proc/<pid>/stat, as Linux has it everywhere. */
const TICKS_PER_SECOND = 100

/** What answers questions, and the engine behind it. */
export interface Api {
  /** Of the dataset, e.g. `http://127.0.0.1:8090/api/datasets/shop`. */
  readonly url: string
  readonly key: string
  readonly clickhouse: ClickHouse
  readonly clickhousePid: number
}

/** Asks the same thing again and again. @throws Error for an answer that is none */
export async function measureQuestion(
  api: Api,
  question: AnalyticsQuestion,
  events: number,
): Promise<QuestionRow> {
  const costs = await watched(api, () => ask(api, question))
  const times: number[] = []
  const before = cpuSeconds(api.clickhousePid)
  for (let n = 0; n < TIMES; n++) times.push(await ask(api, question))
  times.sort((a, b) => a - b)
  return {
    name: question.name,
    events,
    p50Ms: quantile(times, 0.5),
    p95Ms: quantile(times, 0.95),
    targetMs: question.targetMs,
    cpuSeconds: (cpuSeconds(api.clickhousePid) - before) / TIMES,
    ...costs,
  }
}

/** @returns ms from the request to the end of its answer */
async function ask({ url, key }: Api, { name, path, query }: AnalyticsQuestion): Promise<number> {
  const startMs = performance.now()
  const answer = await fetch(`${url}/${path}?${new URLSearchParams(query)}`, {
    headers: { authorization: `Bearer ${key}` },
  })
  const text = await answer.text()
  if (!answer.ok) throw new Error(`${name} was answered ${answer.status}: ${text}`)
  return performance.now() - startMs
}

interface Running {
  readonly query_id: string
  readonly read_rows: number | string
  readonly read_bytes: number | string
  readonly peak_memory_usage: number | string
}

/** What the statements cost that run while something is done: the engine keeps no log of them, so each is looked at. */
async function watched(
  { clickhouse }: Api,
  work: () => Promise<unknown>,
): Promise<Pick<QuestionRow, 'rowsRead' | 'bytesRead' | 'memoryMiB'>> {
  const seen = new Map<string, Running>()
  let isDone = false
  const working = work().finally(() => {
    isDone = true
  })
  while (!isDone) {
    const running = await clickhouse.query<Running>(
      'SELECT query_id, read_rows, read_bytes, peak_memory_usage FROM system.processes ' +
        "WHERE startsWith(Settings['log_comment'], 'millrace-query-')",
    )
    for (const one of running) seen.set(one.query_id, one)
    await Promise.race([working, systemClock.sleep(LOOK_EVERY_MS)])
  }
  await working
  const statements = [...seen.values()]
  const sum = (of: (one: Running) => number | string) =>
    statements.reduce((total, one) => total + Number(of(one)), 0)
  return {
    rowsRead: sum((one) => one.read_rows),
    bytesRead: sum((one) => one.read_bytes),
    memoryMiB: Math.max(0, ...statements.map((one) => Number(one.peak_memory_usage))) / 1024 ** 2,
  }
}

/** User and system time of a process so far. */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}
