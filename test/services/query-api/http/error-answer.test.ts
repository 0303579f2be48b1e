import { expect, test } from 'vitest'
import {
  DEPENDENCY_ERRORS,
  DependencyError,
  type DependencyErrorCode,
} from '../../../../services/core/runtime/errors.ts'
import { knownError } from '../../../../services/query-api/http/error-answer.ts'

test('a metadata database that may answer later is a 503 that tells nothing of it', () => {
  for (const code of ['unavailable', 'timeout', 'overloaded', 'read_only'] as const) {
    const answer = knownError(new DependencyError('metadata', code, 'SELECT secret FROM host'))
    expect([answer?.status, answer?.body.code, answer?.headers['retry-after']]).toEqual([
      503,
      'unavailable',
      '5',
    ])
    expect(answer?.body.detail).not.toContain('secret')
  }
})

test('a change whose answer was lost is told apart from one that was not made', () => {
  const answer = knownError(new DependencyError('metadata', 'outcome_unknown', 'x'))
  expect([answer?.status, answer?.body.code]).toEqual([503, 'outcome_unknown'])
})

test('every other failure of it is one that nobody foresaw', () => {
  const codes = Object.keys(DEPENDENCY_ERRORS) as DependencyErrorCode[]
  for (const code of codes.filter((each) => !DEPENDENCY_ERRORS[each].retriable))
    expect(knownError(new DependencyError('metadata', code, 'x'))).toBe(null)
})
