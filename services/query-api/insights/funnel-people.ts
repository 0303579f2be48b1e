import { invalidInput } from '../http/api-error.ts'
import { flagDeclared, jsonDeclared, textDeclared, wholeDeclared } from '../http/parameter-declarations.ts'
import { type RawQuery, textParameter } from '../http/request-parameters.ts'
import type { Bindings } from '../query/bindings.ts'
import type { Question } from '../query/question.ts'
import type { BehindNumber } from './activity-people.ts'
import { jsonList } from './entity-request.ts'
import { type Frame, type InsightNeeds, startsOf } from './frame.ts'
import { funnelOf, funnelTimeBins, timeRecordsOf } from './funnel.ts'
import { funnelSecondsSql, timeBinSql } from './funnel-answers-sql.ts'
import { FUNNEL_LIMITS, type FunnelRequest, readFunnelRequest, refuseTexts } from './funnel-request.ts'
import type { TimeBins } from './funnel-rows.ts'
import { type Funnel, funnelActorsSql, OTHER_SLOT, OWN_SLOT } from './funnel-sql.ts'
import { flagParameter, wholeParameter } from './insight-request.ts'
import type { PeopleSql } from './people.ts'
import {
  BIN_PARAMETER,
  LINE_PARAMETERS,
  PAGE_PARAMETERS,
  readBin,
  readLine,
  readPoint,
  requireLine,
} from './people-request.ts'

/** Beside the parameters of the funnel: which step, which point of its trend or bin of its times, and which line. */
export const FUNNEL_PEOPLE_PARAMETERS = {
  funnel_step: wholeDeclared(
    'Who reached this step, counted from 1; −n: who reached the one before n and not n.',
    -FUNNEL_LIMITS.steps,
    FUNNEL_LIMITS.steps,
  ),
  funnel_custom_steps: jsonDeclared(
    'Who completed exactly so many steps: a list of numbers, counted from 1.',
  ),
  entrance_period_start: textDeclared('Start of a point of a trend.'),
  drop_off: flagDeclared('At that point: who reached the first step only.'),
  bin_start: BIN_PARAMETER,
  ...LINE_PARAMETERS,
  ...PAGE_PARAMETERS,
}

/** What tells a number of a funnel apart: one of them. */
const NUMBERS = ['funnel_step', 'funnel_custom_steps', 'entrance_period_start', 'bin_start'] as const

/** A funnel whose people are asked for, and which of its lines they are of. */
interface FunnelLine {
  readonly request: FunnelRequest
  readonly frame: Frame
  readonly funnel: Funnel
  readonly slot: string
}

/**
 * Everybody behind one number of a funnel.
 *
 * `funnel_step=n` are those who reached step n, counted from 1; `−n` those who reached the step before n and not n;
 * `funnel_custom_steps=[1,3]` those who got just as far as step 1 or step 3. With `entrance_period_start` those whose
 * best run of that interval reached the last step in question, with `drop_off=true` those who reached the first one
 * only. With `bin_start` those whose time lies in that bin.
 *
 * @throws ApiError 400
 */
export async function funnelPeople(
  needs: InsightNeeds,
  question: Question,
  query: RawQuery,
): Promise<BehindNumber> {
  const asked = withOldName(query)
  const request = readFunnelRequest(asked, FUNNEL_PEOPLE_PARAMETERS)
  refuseTexts(request)
  const numbers = NUMBERS.filter((name) => textParameter(asked, name, Number.POSITIVE_INFINITY) !== null)
  if (numbers.length > 1)
    throw invalidInput(numbers[1] as string, `Ask about one number: send ${numbers.join(' or ')}.`)
  const line = readLine(asked, request.breakdown)
  const { frame, funnel } = await funnelOf(needs, question, request)
  requireLine(line, funnel.breakdown?.values ?? null)
  const slot = line === null ? '' : line.isOther ? OTHER_SLOT : OWN_SLOT + line.value
  const of = { request, frame, funnel, slot }
  const [number] = numbers
  const sql =
    number === 'entrance_period_start'
      ? atPoint(asked, of)
      : number === 'bin_start'
        ? await inBin(needs, question, asked, of)
        : atSteps(asked, of)
  return { sql, groupTypeIndex: request.groupTypeIndex }
}

function atPoint(asked: RawQuery, { request, frame, funnel, slot }: FunnelLine): PeopleSql {
  const { fromStep, toStep } = request
  const startsMs = startsOf(frame, request.interval)
  const point = readPoint(asked, 'entrance_period_start', startsMs, frame.zone) as number
  const reached = flagParameter(asked, 'drop_off')
    ? `level > ${fromStep} AND level <= ${toStep}`
    : `level > ${toStep}`
  const start = startsMs[point] as number
  const end = startsMs[point + 1] ?? frame.toMs
  return (bindings) => {
    const isOf = `run.2[1] >= ${bindings.bind(start, 'Int64')} AND run.2[1] < ${bindings.bind(end, 'Int64')}`
    const level = `arrayMax(arrayMap(run -> if(${isOf}, run.1, 0), runs))`
    return reachedSql({ frame, funnel, slot }, level, reached, bindings)
  }
}

async function inBin(
  needs: InsightNeeds,
  question: Question,
  asked: RawQuery,
  { request, frame, funnel, slot }: FunnelLine,
): Promise<PeopleSql> {
  const { fromStep, toStep } = request
  const records = await timeRecordsOf(needs, question, request, { frame, funnel })
  const record = records.find((one) => one.slot === slot)
  const bins = record === undefined ? null : funnelTimeBins(record, request)
  const place = readBin(asked, bins)
  return (bindings) =>
    'SELECT actor, toUInt64(1) AS amount ' +
    `FROM (${funnelSecondsSql(frame, funnel, fromStep, toStep, bindings)}) ` +
    `WHERE slot = ${bindings.bind(slot, 'String')} AND ${timeBinSql(bins as TimeBins, bindings)} = ${place}`
}

function atSteps(asked: RawQuery, { request, frame, funnel, slot }: FunnelLine): PeopleSql {
  const reached = stepsCondition(asked, request.steps.length)
  return (bindings) => reachedSql({ frame, funnel, slot }, 'arrayMax(run -> run.1, runs)', reached, bindings)
}

/** A condition on `level`. */
function stepsCondition(asked: RawQuery, count: number): string {
  if (textParameter(asked, 'funnel_custom_steps', Number.POSITIVE_INFINITY) !== null) {
    const exactly = jsonList(asked, 'funnel_custom_steps')
    const isStep = (step: unknown) => Number.isInteger(step) && Number(step) >= 1 && Number(step) <= count
    if (exactly.length === 0 || exactly.length > count || !exactly.every(isStep))
      throw invalidInput('funnel_custom_steps', `funnel_custom_steps lists steps from 1 to ${count}.`)
    return `level IN (${exactly.join(', ')})`
  }
  const step = wholeParameter(asked, 'funnel_step', -count, count) ?? count
  if (step === 0 || step === -1)
    throw invalidInput(
      'funnel_step',
      'funnel_step is counted from 1; nobody drops out before the first step.',
    )
  return step > 0 ? `level >= ${step}` : `level = ${-step - 1}`
}

/** Those of a line who got as far as the condition on `level` says. */
function reachedSql(
  { frame, funnel, slot }: Omit<FunnelLine, 'request'>,
  level: string,
  condition: string,
  bindings: Bindings,
): string {
  return (
    `SELECT actor, toUInt64(1) AS amount FROM (SELECT actor, slot, ${level} AS level ` +
    `FROM (${funnelActorsSql(frame, funnel, bindings)})) ` +
    `WHERE slot = ${bindings.bind(slot, 'String')} AND ${condition}`
  )
}

function withOldName(query: RawQuery): RawQuery {
  const { funnel_step_breakdown: old, ...rest } = query
  return old === undefined ? query : { breakdown_value: old, ...rest }
}
