/**
 * Why a whole request is refused: nothing of it was taken, except with `unknown`. The status and type of each code
 * are here; the sentence is written where it happens.
 */
export const REQUEST_REFUSALS = {
  no_data: { status: 400, type: 'validation_error' },
  invalid_json: { status: 400, type: 'validation_error' },
  invalid_utf8: { status: 400, type: 'validation_error' },
  invalid_payload: { status: 400, type: 'validation_error' },
  invalid_encoding: { status: 400, type: 'validation_error' },
  invalid_header: { status: 400, type: 'validation_error' },
  malformed_request: { status: 400, type: 'invalid_request' },
  too_deep: { status: 400, type: 'validation_error' },
  missing_key: { status: 401, type: 'authentication_error' },
  invalid_key: { status: 401, type: 'authentication_error' },
  wrong_scope: { status: 403, type: 'authentication_error' },
  not_found: { status: 404, type: 'invalid_request' },
  method_not_allowed: { status: 405, type: 'invalid_request' },
  request_timeout: { status: 408, type: 'invalid_request' },
  client_closed: { status: 499, type: 'invalid_request' },
  request_too_large: { status: 413, type: 'validation_error' },
  too_many_events: { status: 413, type: 'validation_error' },
  unsupported_media_type: { status: 415, type: 'invalid_request' },
  unsupported_encoding: { status: 415, type: 'invalid_request' },
  idempotency_conflict: { status: 422, type: 'validation_error' },
  quota_exceeded: { status: 429, type: 'throttled_error' },
  headers_too_large: { status: 431, type: 'invalid_request' },
  internal_error: { status: 500, type: 'server_error' },
  not_taken: { status: 503, type: 'server_error' },
  unknown: { status: 503, type: 'server_error' },
} as const satisfies Readonly<Record<string, { status: number; type: string }>>

export type RequestRefusalCode = keyof typeof REQUEST_REFUSALS

export class RequestRefusal {
  readonly code: RequestRefusalCode
  readonly detail: string
  /** Header, member or parameter that is wrong; null when it is none of them. */
  readonly attr: string | null
  /** Headers of the answer that belong to this refusal. */
  readonly headers: Readonly<Record<string, string>>

  constructor(
    code: RequestRefusalCode,
    detail: string,
    attr: string | null = null,
    headers: Readonly<Record<string, string>> = {},
  ) {
    this.code = code
    this.detail = detail
    this.attr = attr
    this.headers = headers
  }

  get status(): number {
    return REQUEST_REFUSALS[this.code].status
  }

  /** The body of the answer. */
  toJSON(): object {
    return { type: REQUEST_REFUSALS[this.code].type, code: this.code, detail: this.detail, attr: this.attr }
  }
}
