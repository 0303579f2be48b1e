import { isDependencyError } from '../../core/runtime/errors.ts'
import { apiErrorOf } from '../query/clickhouse-failure.ts'
import { ApiError } from './api-error.ts'

/** The answer for an error that was foreseen; null for what nobody foresaw. */
export function knownError(error: unknown): ApiError | null {
  if (error instanceof ApiError) return error
  if (isDependencyError(error)) return apiErrorOf(error)
  // Fastify's own refusals: a body that is too long or that it cannot read.
  const status = (error as { statusCode?: unknown }).statusCode
  if (typeof status !== 'number' || status < 400 || status > 499) return null
  return new ApiError(status, {
    type: 'invalid_request',
    code: status === 413 ? 'request_too_large' : 'parse_error',
    detail: 'This request cannot be read.',
    attr: null,
  })
}

/** 500 for what nobody foresaw: it tells nothing but how to find it in the logs. */
export function unknownError(requestId: string): ApiError {
  return new ApiError(500, {
    type: 'server_error',
    code: 'error',
    detail: `Something went wrong here. Give request ${requestId} to whoever runs this.`,
    attr: null,
  })
}

/** @param allowed methods that the path knows */
export function methodNotAllowed(allowed: readonly string[]): ApiError {
  return new ApiError(
    405,
    {
      type: 'invalid_request',
      code: 'method_not_allowed',
      detail: `Only ${allowed.join(', ')} is answered here.`,
      attr: null,
    },
    { allow: allowed.join(', ') },
  )
}
