import { isDependencyError } from '../../core/runtime/errors.ts'
import type { Ask } from './ask.ts'
import { CANNOT_COMPILE_REGEXP, clickHouseCode } from './clickhouse-failure.ts'
import { type FilterGroup, patternsOf } from './property-filters.ts'
import type { Question } from './question.ts'

/** Only the engine knows which regular expressions it can compile; what it cannot matches nothing. */
export async function invalidPatterns(
  ask: Ask,
  question: Question,
  groups: readonly FilterGroup[],
): Promise<ReadonlySet<string>> {
  const invalid = new Set<string>()
  for (const pattern of new Set(groups.flatMap(patternsOf))) {
    try {
      await ask(question, (bindings) => `SELECT match('', ${bindings.bind(pattern, 'String')}) AS valid`)
    } catch (error) {
      if (!isDependencyError(error) || clickHouseCode(error) !== CANNOT_COMPILE_REGEXP) throw error
      invalid.add(pattern)
    }
  }
  return invalid
}
