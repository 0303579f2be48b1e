import type { DependencyError } from '../../core/runtime/errors.ts'
import { ApiError } from '../http/api-error.ts'

/** ClickHouse's codes for a question that costs more than its limits, with the limit as people are told of it. */
const TOO_EXPENSIVE: ReadonlyMap<number, string> = new Map([
  [158, 'reads more rows than one question may'],
  [159, 'takes longer than one question may'],
  [160, 'would take longer than one question may'],
  [241, 'needs more memory than one question may'],
  [307, 'reads more bytes than one question may'],
  [396, 'has a result of more rows or bytes than one question may'],
])
/** A regular expression that it cannot compile. */
export const CANNOT_COMPILE_REGEXP = 427

/** ClickHouse's own code, where the message has one. */
export function clickHouseCode(error: DependencyError): number | null {
  const found = /\bCode:\s*(\d{1,5})\b/.exec(error.message) ?? /\((\d{1,5})\)/.exec(error.message)
  return found ? Number(found[1]) : null
}

/** The answer for a question that ClickHouse did not answer. Never says anything of its text: that may hold SQL. */
export function apiErrorOf(error: DependencyError): ApiError | null {
  const code = clickHouseCode(error)
  // Memory of the whole server is not this question's fault.
  const isOwnMemory = code !== 241 || /\b(for query|Query memory)\b/i.test(error.message)
  const excess = code !== null && isOwnMemory ? TOO_EXPENSIVE.get(code) : undefined
  if (excess !== undefined)
    return new ApiError(400, {
      type: 'validation_error',
      code: 'query_too_expensive',
      detail: `This question ${excess}. Ask for a shorter time, one event name, or fewer rows.`,
      attr: null,
    })
  if (!error.retriable) return null
  return new ApiError(
    503,
    {
      type: 'server_error',
      code: 'unavailable',
      detail: 'The store behind this API cannot answer at the moment. Try again shortly.',
      attr: null,
    },
    { 'retry-after': '5' },
  )
}
