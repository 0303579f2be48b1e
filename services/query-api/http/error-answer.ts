import { type DependencyError, isDependencyError } from '../../core/runtime/errors.ts'
import { apiErrorOf } from '../query/clickhouse-failure.ts'
import { ApiError } from './api-error.ts'

/** The answer for an error that was foreseen; null for what nobody foresaw. */
export function knownError(error: unknown): ApiError | null {
  if (error instanceof ApiError) return error
  if (isDependencyError(error))
    return error.dependency === 'metadata' ? metadataFailure(error) : apiErrorOf(error)
  // Fastify's own refusals: a body that is too long or that it cannot read.
  const status = (error as { statusCode?: unknown }).statusCode
  if (typeof status !== 'number' || status < 400 || status > 499) return null
  if (status === 415) return unsupportedMediaType()
  if (status === 413) return refused(status, 'request_too_large', 'The body is larger than this API takes.')
  return refused(status, 'parse_error', 'This request cannot be read.')
}

/** A write whose outcome is not known may have happened: whoever repeats it looks first. */
function metadataFailure(error: DependencyError): ApiError | null {
  if (!error.retriable) return null
  const isUnknown = error.code === 'outcome_unknown'
  return new ApiError(
    503,
    {
      type: 'server_error',
      code: isUnknown ? 'outcome_unknown' : 'unavailable',
      detail: isUnknown
        ? 'The answer to this change was lost; it may have been made. Look before you try again.'
        : 'The database behind this API cannot answer at the moment. Nothing was changed; try again shortly.',
      attr: null,
    },
    { 'retry-after': '5' },
  )
}

/** 415 for a body of a kind that the route does not take. */
export function unsupportedMediaType(): ApiError {
  return refused(415, 'unsupported_media_type', 'Send the body as JSON (Content-Type: application/json).')
}

function refused(status: number, code: string, detail: string): ApiError {
  return new ApiError(status, { type: 'invalid_request', code, detail, attr: null })
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
