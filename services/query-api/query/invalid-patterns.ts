import { isDependencyError } from '../../core/runtime/errors.ts'
import type { Ask } from './ask.ts'
import { CANNOT_COMPILE_REGEXP, clickHouseCode } from './clickhouse-failure.ts'
import { type FilterGroup, patternsOf } from './property-filters.ts'
import type { Question } from './question.ts'

/** Only the engine knows which regular expressions it can compile; what it cannot matches nothing. */
export function invalidPatterns(
  ask: Ask,
  question: Question,
  groups: readonly FilterGroup[],
): Promise<ReadonlySet<string>> {
  return invalidExpressions(ask, question, groups.flatMap(patternsOf))
}

/** Those of the regular expressions that the engine cannot compile. */
export async function invalidExpressions(
  ask: Ask,
  question: Question,
  patterns: readonly string[],
): Promise<ReadonlySet<string>> {
  const invalid = new Set<string>()
  for (const pattern of new Set(patterns)) {
    try {
      await ask(question, (bindings) => `SELECT match('', ${bindings.bind(pattern, 'String')}) AS valid`)
    } catch (error) {
      if (!isDependencyError(error) || clickHouseCode(error) !== CANNOT_COMPILE_REGEXP) throw error
      invalid.add(pattern)
    }
  }
  return invalid
}
