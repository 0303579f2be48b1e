/** The closed list of error types of this API. */
export const ERROR_TYPES = [
  'validation_error',
  'authentication_error',
  'invalid_request',
  'server_error',
  'throttled_error',
] as const
export type ApiErrorType = (typeof ERROR_TYPES)[number]

/** The one body that every error has. `attr` is the parameter at fault; nested ones are joined with `__`. */
export interface ApiErrorBody {
  readonly type: ApiErrorType
  readonly code: string
  readonly detail: string
  readonly attr: string | null
}

/** An answer that is not a result. Thrown anywhere below the server, which sends it as it is. */
export class ApiError extends Error {
  readonly status: number
  readonly body: ApiErrorBody
  readonly headers: Readonly<Record<string, string>>

  constructor(status: number, body: ApiErrorBody, headers: Readonly<Record<string, string>> = {}) {
    super(body.detail)
    this.name = 'ApiError'
    this.status = status
    this.body = body
    this.headers = headers
  }
}

/** 400 for a parameter that cannot be used. */
export function invalidInput(attr: string, detail: string, code = 'invalid_input'): ApiError {
  return new ApiError(400, { type: 'validation_error', code, detail, attr })
}

/** 404, the same for what is not there and for what the key may not know of. */
export function notFound(detail = 'Not found.'): ApiError {
  return new ApiError(404, { type: 'invalid_request', code: 'not_found', detail, attr: null })
}
