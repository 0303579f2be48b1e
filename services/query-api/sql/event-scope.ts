import type { Compilation, Scope } from './compilation.ts'
import { compileExpression, type Surroundings } from './compile-expression.ts'
import { QueryCompiler } from './compile-query.ts'
import { memberNames, viewMember } from './property-access.ts'
import { unknownName } from './source-scope.ts'
import { SqlFault } from './sql-fault.ts'
import type { Expression } from './syntax.ts'
import { EVENTS_VIEW } from './views.ts'

/** Where expressions about one event at a time stand: over the rows of `events`, whose columns need no table's name. */
export function eventSurroundings(
  compilation: Compilation,
): Surroundings & { readonly withSql: () => string } {
  const compiler = new QueryCompiler(compilation)
  const scope: Scope = {
    name(path, place) {
      const found = viewMember(EVENTS_VIEW, path, compilation, place)
      if (found === null) throw unknownName(path, memberNames(EVENTS_VIEW), place)
      return found.type === 'time' ? compilation.inZone(found.sql) : found
    },
    star(_source, place) {
      throw new SqlFault('"*" stands for the whole event here: alone, and without a table before it.', place)
    },
  }
  return {
    compilation,
    scope,
    subquery: (query) => compiler.value(query),
    withSql: () => compiler.withSql(),
  }
}

/** Conditions that all must hold, as SQL. @throws SqlFault */
export function conditionsSql(conditions: readonly Expression[], around: Surroundings): string[] {
  // What is not known does not hold, and a number holds unless it is zero.
  return conditions.map((condition) => `ifNull(${compileExpression(condition, around).sql}, 0)`)
}
