import { ApiError } from '../http/api-error.ts'
import type { ResultAnswer } from './results.ts'

/**
 * How old the results of a file are: when the computation of the oldest began, epoch ms; null without any.
 *
 * @throws ApiError 409 where one is not there yet: a file could not say so, and half of one looks like a whole one
 */
export function resultsOfFileMs(answers: readonly ResultAnswer[]): number | null {
  let oldestMs = Number.POSITIVE_INFINITY
  for (const { lastRefreshMs } of answers) {
    if (lastRefreshMs === null) throw notReady()
    oldestMs = Math.min(oldestMs, lastRefreshMs)
  }
  return answers.length === 0 ? null : oldestMs
}

function notReady(): ApiError {
  return new ApiError(409, {
    type: 'invalid_request',
    code: 'not_ready',
    detail:
      'There is no result yet that a file could be made of. Ask again shortly, or with refresh=blocking.',
    attr: 'refresh',
  })
}
