import { addAbortSignal } from 'node:stream'
import { text } from 'node:stream/consumers'
import type { ClickHouse } from '../../core/clickhouse/clickhouse.ts'
import { type CostLimits, queryOptions } from './ask.ts'
import { type Bindings, createBindings } from './bindings.ts'
import { datasetFilters } from './dataset-filters.ts'
import { plannedAgain } from './plain-plan.ts'
import type { Question } from './question.ts'

/** A result whose columns nobody knows beforehand. */
export interface Table {
  /** Of ClickHouse, e.g. `Nullable(String)`. */
  readonly types: readonly string[]
  /** Whole numbers that JavaScript would round come as text. */
  readonly rows: readonly (readonly unknown[])[]
}

/**
 * Runs one statement whose text came about from what a caller wrote, as {@link Ask} does. The engine is told once more
 * which dataset is asked about, so that a fault of the compiler could not show rows of another one.
 *
 * @throws DependencyError of ClickHouse, also for a statement that costs too much or that it cannot run
 */
export type AskTable = (question: Question, sqlOf: (bindings: Bindings) => string) => Promise<Table>

/**
 * @param tables  of the store that a statement may name, each with the column `dataset_id`
 * @param rowsMax rows of one result
 */
export function createAskTable(
  clickhouse: Pick<ClickHouse, 'stream'>,
  cost: CostLimits,
  tables: readonly string[],
  rowsMax: number,
): AskTable {
  return async (question, sqlOf) => {
    const bindings = createBindings()
    const sql = `${sqlOf(bindings)} FORMAT JSONCompactEachRowWithNamesAndTypes`
    const own = {
      max_result_rows: rowsMax,
      // What an outer join does not find is null, as everywhere in SQL.
      join_use_nulls: 1,
      additional_table_filters: datasetFilters(tables, question.dataset.id),
    }
    const stream = await plannedAgain((settings) =>
      clickhouse.stream(sql, bindings.parameters, queryOptions(question, cost, { ...own, ...settings })),
    )
    const answer = await text(addAbortSignal(question.signal, stream))
    // Not by lines as Node reads them: it takes U+2028, which stands in texts as it is, for the end of one.
    const lines = answer.split('\n').flatMap((line) => (line === '' ? [] : [parseLine(line)]))
    const [, types = [], ...rows] = lines
    return { types: types as string[], rows }
  }
}

function parseLine(line: string): unknown[] {
  return JSON.parse(line, function exact(_key, value: unknown, context?: { source?: string }) {
    const isRounded =
      typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
    return isRounded ? context?.source : value
  }) as unknown[]
}
