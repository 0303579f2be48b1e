import type { QuerySettings } from '../../core/clickhouse/clickhouse.ts'
import { isDependencyError } from '../../core/runtime/errors.ts'

/** What the engine says of a plan that it made itself and cannot carry out. */
const UNSOUND = /\bCode: 44\b.*\bmust be constant in result\b/s
/** Filters stay in one piece and where they were written. */
const PLAIN: QuerySettings = { query_plan_split_filter: 0, query_plan_filter_push_down: 0 }

/**
 * Runs a statement, and once more in a plainer plan where the engine fails to plan it, which is before it reads anything.
 * A condition on people or sessions is a set; where that turns out to be empty while the engine splits a filter which has
 * the condition, and selects it besides, the condition is constant in one half and not in the other.
 *
 * @param run with these settings on top; called twice at most
 */
export async function plannedAgain<T>(run: (settings: QuerySettings) => Promise<T>): Promise<T> {
  try {
    return await run({})
  } catch (error) {
    if (!isDependencyError(error) || !UNSOUND.test(error.message)) throw error
    return run(PLAIN)
  }
}
