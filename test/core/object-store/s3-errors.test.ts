import { expect, test } from 'vitest'
import { s3Error } from '../../../services/core/object-store/s3-errors.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'

const failure = (given: Record<string, unknown>) =>
  s3Error(Object.assign(new Error('words'), given), 'PUT b/k')
const codeOf = (given: Record<string, unknown>) => (failure(given) as DependencyError).code
const status = (httpStatusCode: number) => ({ $metadata: { httpStatusCode } })

test('every answer of the store has its meaning', () => {
  expect(codeOf({ name: 'PreconditionFailed', ...status(412) })).toBe('precondition_failed')
  expect(codeOf({ name: 'ConditionalRequestConflict', ...status(409) })).toBe('overloaded')
  expect(codeOf({ name: 'SlowDown', ...status(503) })).toBe('overloaded')
  expect(codeOf({ name: 'InternalError', ...status(500) })).toBe('unavailable')
  expect(codeOf({ name: 'BadDigest', ...status(400) })).toBe('unavailable')
  expect(codeOf({ name: 'ExpiredToken', ...status(400) })).toBe('denied')
  expect(codeOf({ name: 'AccessDenied', ...status(403) })).toBe('denied')
  // By the next try the client has set its clock by the answer.
  expect(codeOf({ name: 'RequestTimeTooSkewed', ...status(403) })).toBe('unavailable')
  expect(codeOf({ name: 'NoSuchBucket', ...status(404) })).toBe('not_found')
  expect(codeOf({ name: 'EntityTooLarge', ...status(400) })).toBe('rejected')
  expect(codeOf({ name: 'Unknown', ...status(429) })).toBe('overloaded')
  // An error body behind a 200, which the client cannot parse.
  expect(codeOf({ name: 'SyntaxError', ...status(200) })).toBe('unavailable')
})

test('a network that fails is unavailable or a timeout', () => {
  expect(codeOf({ code: 'ECONNREFUSED', syscall: 'connect' })).toBe('unavailable')
  expect(codeOf({ code: 'ECONNRESET', syscall: 'read' })).toBe('unavailable')
  expect(codeOf({ code: 'ENOTFOUND', syscall: 'getaddrinfo' })).toBe('unavailable')
  expect(codeOf({ code: 'EMFILE', syscall: 'connect' })).toBe('unavailable')
  expect(codeOf({ name: 'TimeoutError' })).toBe('timeout')
  expect(codeOf({ code: 'ETIMEDOUT' })).toBe('timeout')
  expect(codeOf({ code: 'CERT_HAS_EXPIRED' })).toBe('rejected')
})

test('our own faults are not the store’s', () => {
  const missing = Object.assign(new Error('no such file'), { code: 'ENOENT', syscall: 'open' })
  expect(s3Error(missing, 'PUT b/k')).toBe(missing)
  const bug = new TypeError('x is not a function')
  expect(s3Error(bug, 'PUT b/k')).toBe(bug)
  const known = new DependencyError('s3', 'denied', 'no')
  expect(s3Error(known, 'PUT b/k')).toBe(known)
})
