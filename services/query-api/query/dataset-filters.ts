import type { QuerySettings } from '../../core/clickhouse/clickhouse.ts'
import { STORED_TABLES } from '../sql/views.ts'
import type { Bindings } from './bindings.ts'
import type { Question } from './question.ts'

/**
 * Tells the engine once more which dataset is asked about where somebody's expression is part of the statement: a fault of
 * the compiler could not show rows of another one.
 */
export function twiceOfDataset(
  { isExpressed }: Pick<Bindings, 'isExpressed'>,
  { dataset }: Pick<Question, 'dataset'>,
): QuerySettings {
  return isExpressed ? { additional_table_filters: datasetFilters(STORED_TABLES, dataset.id) } : {}
}

/** `{'events':'dataset_id = \\'shop\\''}`: a condition that ClickHouse adds wherever it reads the table. */
export function datasetFilters(tables: readonly string[], dataset: string): string {
  const condition = quoted(`dataset_id = ${quoted(dataset)}`)
  return `{${tables.map((table) => `${quoted(table)}:${condition}`).join(',')}}`
}

function quoted(text: string): string {
  return `'${text.replace(/[\\']/g, '\\$&')}'`
}
