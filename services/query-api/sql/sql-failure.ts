import { type DependencyError, isDependencyError } from '../../core/runtime/errors.ts'
import { ApiError } from '../http/api-error.ts'
import { apiErrorOf, clickHouseCode } from '../query/clickhouse-failure.ts'
import { findFunction } from './functions.ts'
import { lineAndColumn, SqlFault } from './sql-fault.ts'

/**
 * What ClickHouse says of a query that is well formed and still cannot run, by its codes: values of types that do not go
 * together are known only when there are values.
 */
const REASONS: ReadonlyMap<number, string> = new Map([
  [6, 'A text cannot be read as what it is converted to.'],
  [10, 'A column is named where it cannot be.'],
  [25, 'A pattern of LIKE ends within an escape: a backslash stands there twice.'],
  [27, 'A text cannot be read as what it is converted to.'],
  [35, 'A function has more arguments than it takes.'],
  [36, 'A function has an argument that it cannot take.'],
  [41, 'A text cannot be read as a time: write it as ISO 8601.'],
  [42, 'A function has another number of arguments than it takes.'],
  [43, 'A function has an argument of a type that it does not take.'],
  [44, 'A function needs a constant where a column stands.'],
  [48, 'Something here cannot be computed.'],
  [53, 'Values of types that do not go together are compared.'],
  [69, 'An argument is out of the bounds of its function.'],
  [70, 'A value cannot be converted.'],
  [72, 'A text cannot be read as a number: toFloat() and toInt() give null for such a text.'],
  [117, 'A text cannot be read as what it is converted to.'],
  [125, 'A query that stands for a value has one row.'],
  [128, 'A list is longer than it may be.'],
  [131, 'A text is longer than it may be.'],
  [134, 'A function has fewer arguments than it needs.'],
  [153, 'A number is divided by zero.'],
  [184, 'An aggregate stands where rows are not grouped yet: conditions on aggregates stand in HAVING.'],
  [190, 'Lists have to have the same length here.'],
  [215, 'A column is neither in GROUP BY nor in an aggregate.'],
  [306, 'This is nested too deeply.'],
  [349, 'A null stands where none can be.'],
  [352, 'Tables are joined by a condition that cannot be used: it has to be an equality of their columns.'],
  [386, 'Values of types that do not go together are compared: toFloat() and toString() convert them.'],
  [403, 'Tables are joined by a condition that cannot be used: it has to be an equality of their columns.'],
  [407, 'A number is larger than its type.'],
  [427, 'A regular expression cannot be compiled.'],
  [457, 'A value does not fit where it stands.'],
  [467, 'A text cannot be read as true or false.'],
  [691, 'A text is none of those that are known here.'],
])

/** Codes that say that the statement itself is wrong, which no query should be able to make it: syntax, names, values. */
const OWN_FAULTS = new Set([46, 47, 49, 60, 62, 81, 115, 456])

/** 400 for a text that is wrong. */
export function faultAnswer(text: string, fault: SqlFault, attr: string): ApiError {
  const { line, column } = lineAndColumn(text, fault.place.start)
  return new ApiError(400, {
    type: 'validation_error',
    code: 'invalid_query',
    detail: `${fault.message} (line ${line}, column ${column})`,
    attr,
  })
}

/** 400 for a query that ClickHouse could not run; null for every other failure. */
export function engineAnswer(error: unknown, attr: string | null): ApiError | null {
  if (!isDependencyError(error) || error.dependency !== 'clickhouse' || error.code !== 'rejected') return null
  const code = clickHouseCode(error)
  // What costs too much is told as such, wherever it was asked.
  if (code === null || OWN_FAULTS.has(code) || apiErrorOf(error) !== null) return null
  const reason = REASONS.get(code) ?? 'This cannot be computed as it stands.'
  return new ApiError(400, {
    type: 'validation_error',
    code: 'invalid_query',
    detail: `${reason}${functionNamed(error)}`,
    attr,
  })
}

/** 400 for expressions that make a statement longer than the engine reads. */
export function tooLongAnswer(): ApiError {
  return new ApiError(400, {
    type: 'validation_error',
    code: 'invalid_query',
    detail: 'The expressions of this question are too long together: use fewer, or say less in them.',
    attr: null,
  })
}

/** The function that the engine complains of, where it is one that a query can name. Nothing else of its text is told. */
function functionNamed({ message }: DependencyError): string {
  const name = /\bfunction (\w+)/i.exec(message)?.[1]
  const found = name === undefined ? null : findFunction(name)
  return found === null ? '' : ` It is about ${found.name}.`
}

/**
 * Runs what reads, compiles and asks a text, and says of its faults where they are.
 *
 * @throws ApiError 400
 */
export async function answeringFaults<T>(text: string, attr: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (error instanceof SqlFault) throw faultAnswer(text, error, attr)
    throw engineAnswer(error, attr) ?? error
  }
}
