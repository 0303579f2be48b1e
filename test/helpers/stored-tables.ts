import { STORED_TABLES } from '../../services/query-api/sql/views.ts'
import { TRACE_TABLES } from '../../services/query-api/trace/trace-query.ts'

/** Tables of the store that the query API reads, each with the column `dataset_id`. */
export const TABLE_NAMES: ReadonlySet<string> = new Set([
  ...STORED_TABLES,
  ...Object.keys(TRACE_TABLES),
  'cohort_changes',
])
