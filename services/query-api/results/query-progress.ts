import { isDependencyError } from '../../core/runtime/errors.ts'
import type { Ask } from '../query/ask.ts'
import type { Question } from '../query/question.ts'

/** How far ClickHouse is with the statements of a computation that run at this moment. */
export interface QueryProgress {
  readonly rows_read: number
  readonly bytes_read: number
  /** As ClickHouse estimates it. */
  readonly estimated_rows_total: number
  readonly time_elapsed: number
}

/**
 * Statements of a computation that have ended are not in it: a question asks several, one after the other.
 *
 * @param ids of the statements; they are the comment that each leaves in its log, which the embedded engine has too
 * @returns null where ClickHouse does not tell: its user may not see what runs
 */
export async function queryProgress(
  ask: Ask,
  question: Question,
  ids: readonly string[],
): Promise<QueryProgress | null> {
  try {
    const [row] = await ask<Record<keyof QueryProgress, number | string>>(
      question,
      (bindings) =>
        'SELECT sum(read_rows) AS rows_read, sum(read_bytes) AS bytes_read, ' +
        'sum(total_rows_approx) AS estimated_rows_total, max(elapsed) AS time_elapsed FROM system.processes ' +
        `WHERE Settings['log_comment'] IN (${bindings.bind(ids, 'Array(String)')})`,
    )
    return {
      rows_read: Number(row?.rows_read ?? 0),
      bytes_read: Number(row?.bytes_read ?? 0),
      estimated_rows_total: Number(row?.estimated_rows_total ?? 0),
      time_elapsed: Number(row?.time_elapsed ?? 0),
    }
  } catch (error) {
    if (isDependencyError(error)) return null
    throw error
  }
}
