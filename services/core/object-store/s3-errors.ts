import { DependencyError, type DependencyErrorCode, isDependencyError } from '../runtime/errors.ts'

interface ServiceFailure {
  readonly name?: string
  readonly code?: string
  readonly message?: string
  readonly $metadata?: { readonly httpStatusCode?: number; readonly requestId?: string }
}

const BY_NAME: Readonly<Record<string, DependencyErrorCode>> = {
  // The bytes were damaged on the way; they are still right here, so sending them again helps.
  BadDigest: 'unavailable',
  InvalidDigest: 'unavailable',
  XAmzContentChecksumMismatch: 'unavailable',
  XAmzContentSHA256Mismatch: 'unavailable',
  IncompleteBody: 'unavailable',
  // Our clock is wrong, and the client has just read the server's from its answer: it signs with that from now on.
  RequestTimeTooSkewed: 'unavailable',
  RequestTimeout: 'timeout',
  TimeoutError: 'timeout',
  SlowDown: 'overloaded',
  // Somebody else writes the same key at this moment: the whole upload is to be repeated and then told 412.
  ConditionalRequestConflict: 'overloaded',
  OperationAborted: 'overloaded',
  NoSuchBucket: 'not_found',
  NoSuchKey: 'not_found',
  NotFound: 'not_found',
  CredentialsProviderError: 'denied',
  ExpiredToken: 'denied',
  InvalidAccessKeyId: 'denied',
  SignatureDoesNotMatch: 'denied',
  PreconditionFailed: 'precondition_failed',
}

/**
 * What a failed request means. Returns errors that are not about the object store unchanged: those are our bugs.
 *
 * @param what the request in words, e.g. `PUT bucket/key`
 */
export function s3Error(error: unknown, what: string): unknown {
  if (isDependencyError(error) || !(error instanceof Error)) return error
  const failure = error as ServiceFailure
  const status = failure.$metadata?.httpStatusCode
  const code = BY_NAME[failure.name ?? ''] ?? byStatus(status) ?? byNetwork(failure)
  if (code === null) return error
  if (failure.name === 'CredentialsProviderError')
    return new DependencyError(
      's3',
      code,
      `${what} failed: nobody said who we are. Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or AWS_PROFILE.`,
      error,
    )
  const words = [failure.name, status, failure.message].filter((part) => part !== undefined && part !== '')
  return new DependencyError('s3', code, `${what} failed: ${words.join(', ')}.`, error)
}

function byStatus(status: number | undefined): DependencyErrorCode | null {
  if (status === undefined) return null
  if (status === 401 || status === 403) return 'denied'
  if (status === 404) return 'not_found'
  if (status === 408) return 'timeout'
  if (status === 409) return 'overloaded'
  if (status === 412) return 'precondition_failed'
  if (status === 429 || status === 503) return 'overloaded'
  if (status >= 500) return 'unavailable'
  // A 200 that cannot be parsed is an error body in a success's clothes.
  return status >= 400 ? 'rejected' : 'unavailable'
}

/**
 * By the codes of sockets, name look-ups and TLS: a file of ours that cannot be read is no fault of the store. That this
 * process may open nothing more at the moment passes like one.
 */
function byNetwork({ code = '', message = '' }: ServiceFailure): DependencyErrorCode | null {
  if (code === 'ETIMEDOUT') return 'timeout'
  if (/^(ECONN\w+|EPIPE|ENOTFOUND|EAI_AGAIN|EHOST\w+|ENET\w+|EADDR\w+|EPROTO|EMFILE|ENFILE)$/.test(code))
    return 'unavailable'
  if (/CERT|_TLS_|_SSL_/.test(code)) return 'rejected'
  return /socket hang up|aborted|premature close|checksum mismatch/i.test(message) ? 'unavailable' : null
}
