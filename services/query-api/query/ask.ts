import { randomUUID } from 'node:crypto'
import type { Dataset } from '../../../schemas/control/v1.ts'
import type { ClickHouse, QueryOptions, QuerySettings } from '../../core/clickhouse/clickhouse.ts'
import { engineAnswer, tooLongAnswer } from '../sql/sql-failure.ts'
import { SQL_LIMITS } from '../sql/sql-limits.ts'
import { type Bindings, createBindings } from './bindings.ts'
import { twiceOfDataset } from './dataset-filters.ts'
import { plannedAgain } from './plain-plan.ts'
import type { Question } from './question.ts'

/** What one question may cost. */
export interface CostLimits {
  readonly executionSecondsMax: number
  readonly rowsReadMax: number
  readonly memoryBytesMax: number
  readonly resultBytesMax: number
}

/**
 * Runs one statement within the cost limits; it is cancelled when nobody waits for the answer any more.
 *
 * @param sqlOf makes the statement, binding every value on the way
 * @throws DependencyError of ClickHouse, also for a statement that costs too much
 * @throws ApiError 400 for what an expression in the statement says and the engine cannot compute
 */
export type Ask = <T>(question: Question, sqlOf: (bindings: Bindings) => string) => Promise<T[]>

/**
 * Runs a statement that writes, within the same limits.
 *
 * @throws DependencyError of ClickHouse; what was written before it came is there
 */
export type Tell = (
  question: Pick<Question, 'signal'> & { readonly dataset: Pick<Dataset, 'id'> },
  sqlOf: (bindings: Bindings) => string,
) => Promise<void>

/** Setting under which ClickHouse writes times as ISO 8601 in UTC. */
const ISO_TIMES = { date_time_output_format: 'iso' } as const

/** Groups that take more than one part in so many of a statement's memory go on in files of ClickHouse's, instead of ending it. */
const GROUPED_SHARE = 3

function limitsOf(cost: CostLimits) {
  return {
    max_execution_time: cost.executionSecondsMax,
    timeout_overflow_mode: 'throw',
    max_rows_to_read: cost.rowsReadMax,
    read_overflow_mode: 'throw',
    max_memory_usage: cost.memoryBytesMax,
    max_bytes_before_external_group_by: Math.floor(cost.memoryBytesMax / GROUPED_SHARE),
  } as const
}

export function createTell(clickhouse: Pick<ClickHouse, 'command'>, cost: CostLimits): Tell {
  return async ({ signal, dataset }, sqlOf) => {
    const bindings = createBindings()
    const sql = sqlOf(bindings)
    const run = (settings: QuerySettings) =>
      clickhouse.command(sql, bindings.parameters, {
        queryId: `millrace-query-${randomUUID()}`,
        signal,
        dataset: dataset.id,
        settings: { ...limitsOf(cost), ...settings },
      })
    await answeringExpressions(sql, bindings, () => plannedAgain(run))
  }
}

export function createAsk(clickhouse: Pick<ClickHouse, 'query'>, cost: CostLimits): Ask {
  return async <T>(question: Question, sqlOf: (bindings: Bindings) => string) => {
    const bindings = createBindings()
    const sql = sqlOf(bindings)
    const twice = twiceOfDataset(bindings, question)
    const run = (settings: QuerySettings) =>
      clickhouse.query<T>(sql, bindings.parameters, queryOptions(question, cost, { ...twice, ...settings }))
    return answeringExpressions(sql, bindings, () => plannedAgain(run))
  }
}

/** What the engine refuses of a statement with expressions in it is told to whoever wrote them. */
async function answeringExpressions<T>(
  sql: string,
  { isExpressed }: Bindings,
  run: () => Promise<T>,
): Promise<T> {
  if (!isExpressed) return run()
  if (sql.length > SQL_LIMITS.written) throw tooLongAnswer()
  try {
    return await run()
  } catch (error) {
    throw engineAnswer(error, null) ?? error
  }
}

/** @param settings on top of those that hold every statement to its limits */
export function queryOptions(
  { dataset, signal, onStatement }: Pick<Question, 'dataset' | 'signal' | 'onStatement'>,
  cost: CostLimits,
  settings: QuerySettings = {},
): QueryOptions {
  const queryId = `millrace-query-${randomUUID()}`
  onStatement?.(queryId)
  return {
    queryId,
    signal,
    dataset: dataset.id,
    settings: {
      // Ids are not kept by the embedded engine, comments are: what runs is found by them there as well.
      log_comment: queryId,
      ...limitsOf(cost),
      max_result_bytes: cost.resultBytesMax,
      result_overflow_mode: 'throw',
      output_format_json_quote_64bit_integers: 0,
      ...ISO_TIMES,
      ...settings,
    },
  }
}
