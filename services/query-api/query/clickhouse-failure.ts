import type { DependencyError } from '../../core/runtime/errors.ts'
import { ApiError } from '../http/api-error.ts'

/**
 * ClickHouse's codes for a question that costs more than its limits: 158 rows, 159 time, 160 too slow, 307 bytes,
 * 396 result rows or bytes, 241 memory.
 */
const TOO_EXPENSIVE = new Set([158, 159, 160, 241, 307, 396])
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
  if (code !== null && TOO_EXPENSIVE.has(code) && isOwnMemory)
    return new ApiError(400, {
      type: 'validation_error',
      code: 'query_too_expensive',
      detail:
        'This question reads or returns more than it may. Ask for a shorter time, one event name, or fewer rows.',
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
