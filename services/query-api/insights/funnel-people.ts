import { invalidInput } from '../http/api-error.ts'
import { flagDeclared, textDeclared, wholeDeclared } from '../http/parameter-declarations.ts'
import { type RawQuery, textParameter } from '../http/request-parameters.ts'
import type { Question } from '../query/question.ts'
import { type InsightNeeds, startsOf } from './frame.ts'
import { funnelOf } from './funnel.ts'
import { FUNNEL_LIMITS, readFunnelRequest, refuseTexts } from './funnel-request.ts'
import { funnelActorsSql, OTHER_SLOT, OWN_SLOT } from './funnel-sql.ts'
import { flagParameter, wholeParameter } from './insight-request.ts'
import type { PeopleSql } from './people.ts'
import { LINE_PARAMETERS, PAGE_PARAMETERS, readLine, readPoint, requireLine } from './people-request.ts'

/** Beside the parameters of the funnel: which step, or which point of its trend, and which line. */
export const FUNNEL_PEOPLE_PARAMETERS = {
  funnel_step: wholeDeclared(
    'Who reached this step, counted from 1; −n: who reached the one before n and not n.',
    -FUNNEL_LIMITS.steps,
    FUNNEL_LIMITS.steps,
  ),
  entrance_period_start: textDeclared('Start of a point of a trend.'),
  drop_off: flagDeclared('At that point: who reached the first step only.'),
  ...LINE_PARAMETERS,
  ...PAGE_PARAMETERS,
}

/**
 * Everybody behind one number of a funnel.
 *
 * `funnel_step=n` are those who reached step n, counted from 1; `−n` those who reached the step before n and not n.
 * With `entrance_period_start` those whose best run of that interval reached the last step in question, with
 * `drop_off=true` those who reached the first one only.
 *
 * @throws ApiError 400
 */
export async function funnelPeople(
  needs: InsightNeeds,
  question: Question,
  query: RawQuery,
): Promise<{ readonly sql: PeopleSql; readonly groupTypeIndex: number | null }> {
  const asked = withOldName(query)
  const request = readFunnelRequest(asked, FUNNEL_PEOPLE_PARAMETERS)
  refuseTexts(request)
  const line = readLine(asked, request.breakdown)
  const { frame, funnel } = await funnelOf(needs, question, request)
  requireLine(line, funnel.breakdown?.values ?? null)
  const { fromStep, toStep } = request
  const slot = line === null ? '' : line.isOther ? OTHER_SLOT : OWN_SLOT + line.value
  if (textParameter(asked, 'entrance_period_start') !== null) {
    const startsMs = startsOf(frame, request.interval)
    const point = readPoint(asked, 'entrance_period_start', startsMs, frame.zone) as number
    const reached = flagParameter(asked, 'drop_off')
      ? `level > ${fromStep} AND level <= ${toStep}`
      : `level > ${toStep}`
    const start = startsMs[point] as number
    const end = startsMs[point + 1] ?? frame.toMs
    return {
      sql: (bindings) => {
        const isOf = `run.2[1] >= ${bindings.bind(start, 'Int64')} AND run.2[1] < ${bindings.bind(end, 'Int64')}`
        return (
          'SELECT actor, toUInt64(1) AS amount FROM (SELECT actor, slot, ' +
          `arrayMax(arrayMap(run -> if(${isOf}, run.1, 0), runs)) AS level FROM (${funnelActorsSql(frame, funnel, bindings)})) ` +
          `WHERE slot = ${bindings.bind(slot, 'String')} AND ${reached}`
        )
      },
      groupTypeIndex: request.groupTypeIndex,
    }
  }
  const count = request.steps.length
  const step = wholeParameter(asked, 'funnel_step', -count, count) ?? count
  if (step === 0 || step === -1)
    throw invalidInput(
      'funnel_step',
      'funnel_step is counted from 1; nobody drops out before the first step.',
    )
  const reached = step > 0 ? `level >= ${step}` : `level = ${-step - 1}`
  return {
    sql: (bindings) =>
      'SELECT actor, toUInt64(1) AS amount FROM (SELECT actor, slot, arrayMax(run -> run.1, runs) AS level ' +
      `FROM (${funnelActorsSql(frame, funnel, bindings)})) ` +
      `WHERE slot = ${bindings.bind(slot, 'String')} AND ${reached}`,
    groupTypeIndex: request.groupTypeIndex,
  }
}

function withOldName(query: RawQuery): RawQuery {
  const { funnel_step_breakdown: old, ...rest } = query
  return old === undefined ? query : { breakdown_value: old, ...rest }
}
