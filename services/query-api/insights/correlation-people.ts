import { invalidInput } from '../http/api-error.ts'
import { flagDeclared, textDeclared } from '../http/parameter-declarations.ts'
import { type RawQuery, textParameter } from '../http/request-parameters.ts'
import type { Question } from '../query/question.ts'
import type { BehindNumber } from './activity-people.ts'
import type { InsightNeeds } from './frame.ts'
import { funnelOf } from './funnel.ts'
import { correlationCandidatesSql, readCorrelationRequest } from './funnel-correlation.ts'
import { flagParameter } from './insight-request.ts'
import { PAGE_PARAMETERS } from './people-request.ts'

/** Beside the parameters of the correlation: which row, and which of its two numbers. */
export const CORRELATION_PEOPLE_PARAMETERS = {
  funnel_correlation_event: textDeclared(
    'The row, as its `event` says: `help`, `plan::pro`, `help::topic::price`.',
  ),
  funnel_correlation_person_converted: flagDeclared(
    'Whether those are asked for who reached the last step, and not those who did not.',
  ),
  ...PAGE_PARAMETERS,
}

/**
 * Those who have what a row of a correlation is about, and reached the last step of the funnel or did not.
 *
 * @throws ApiError 400
 */
export async function correlationPeople(
  needs: InsightNeeds,
  question: Question,
  query: RawQuery,
): Promise<BehindNumber> {
  const request = readCorrelationRequest(query, CORRELATION_PEOPLE_PARAMETERS)
  const name = textParameter(query, 'funnel_correlation_event', Number.POSITIVE_INFINITY)
  if (name === null)
    throw invalidInput('funnel_correlation_event', 'Say which row: funnel_correlation_event, its event.')
  const converted = flagParameter(query, 'funnel_correlation_person_converted') ? 1 : 0
  const { frame, funnel } = await funnelOf(needs, question, request.funnel)
  return {
    sql: (bindings) =>
      'SELECT actor, toUInt64(1) AS amount ' +
      `FROM (${correlationCandidatesSql(frame, funnel, request, bindings)}) ` +
      `WHERE name = ${bindings.bind(name, 'String')} AND converted = ${converted} GROUP BY actor`,
    groupTypeIndex: request.funnel.groupTypeIndex,
  }
}
