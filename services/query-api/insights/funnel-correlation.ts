import { invalidInput } from '../http/api-error.ts'
import { choiceDeclared, jsonDeclared, type ParameterDeclarations } from '../http/parameter-declarations.ts'
import { choiceParameter, type RawQuery, TEXT_LENGTH_MAX } from '../http/request-parameters.ts'
import type { Bindings } from '../query/bindings.ts'
import { jsonPropertySql } from '../query/event-properties.ts'
import { newestGroupsSql } from '../query/group-rows.ts'
import { newestPersonsSql } from '../query/person-rows.ts'
import type { Question } from '../query/question.ts'
import { jsonList } from './entity-request.ts'
import { actorSql, eventRowsSql } from './event-rows.ts'
import type { Frame, InsightNeeds } from './frame.ts'
import { funnelOf } from './funnel.ts'
import { bestRunsSql } from './funnel-answers-sql.ts'
import { type FunnelRequest, readFunnelRequest, refuseTexts } from './funnel-request.ts'
import type { Funnel } from './funnel-sql.ts'
import { scaledUp } from './sampling.ts'

const KINDS = ['events', 'properties', 'event_with_properties'] as const

export const CORRELATION_PARAMETERS = {
  funnel_correlation_type: choiceDeclared('What is compared.', KINDS, 'events'),
  funnel_correlation_names: jsonDeclared(
    'With `properties`: names of properties of persons, or of the groups that act.',
  ),
  funnel_correlation_event_names: jsonDeclared('With `event_with_properties`: names of events.'),
  funnel_correlation_exclude_event_names: jsonDeclared('Names of events that are left out.'),
}

/** Names in one list; rows that speak for success, and as many that speak against it; values looked at in all. */
export const CORRELATION_LIMITS = { names: 50, rows: 10, candidates: 10_000 } as const

/** Below this share of the larger side, what is said of the smaller one rests on few people. */
const SKEWED_BELOW = 0.1

export interface CorrelationRequest {
  readonly funnel: FunnelRequest
  readonly kind: (typeof KINDS)[number]
  readonly names: readonly string[]
  readonly events: readonly string[]
  readonly excluded: readonly string[]
}

/** @throws ApiError 400 */
export function readCorrelationRequest(
  query: RawQuery,
  further: ParameterDeclarations = {},
): CorrelationRequest {
  const funnel = readFunnelRequest(query, { ...CORRELATION_PARAMETERS, ...further })
  refuseTexts(funnel)
  const kind = choiceParameter(query, 'funnel_correlation_type', KINDS, 'events')
  const names = nameList(query, 'funnel_correlation_names')
  const events = nameList(query, 'funnel_correlation_event_names')
  if (funnel.steps.length < 2) throw invalidInput('events', 'A funnel of one step has nobody who failed.')
  if (kind === 'properties' && names.length === 0)
    throw invalidInput(
      'funnel_correlation_names',
      'Say which properties of persons or groups: a list of names.',
    )
  if (kind === 'event_with_properties' && events.length === 0)
    throw invalidInput('funnel_correlation_event_names', 'Say whose properties: a list of names of events.')
  const excluded = nameList(query, 'funnel_correlation_exclude_event_names')
  return { funnel: { ...funnel, breakdown: null }, kind, names, events, excluded }
}

function nameList(query: RawQuery, name: string): string[] {
  const list = jsonList(query, name)
  const isNames = list.every((one) => typeof one === 'string' && one.length <= TEXT_LENGTH_MAX)
  if (!isNames || list.length > CORRELATION_LIMITS.names)
    throw invalidInput(name, `${name} is a list of at most ${CORRELATION_LIMITS.names} names.`)
  return list as string[]
}

export interface Correlation {
  /** Name of an event; `name::value` of a property, `event::name::value` of one of an event. */
  readonly event: string
  /** Actors who have it and reached the last step; who have it and did not. */
  readonly success_count: number
  readonly failure_count: number
  readonly odds_ratio: number
  readonly correlation_type: 'success' | 'failure'
  readonly success_people_url?: string
  readonly failure_people_url?: string
}

/**
 * What those who reached the last step have more often than those who did not, and the other way round.
 *
 * An event counts for an actor when it lies after the first step and before the last one, for those who failed within
 * the window, of the first of the actor's best runs; the funnel's own events do not count.
 */
export async function funnelCorrelation(
  needs: InsightNeeds,
  question: Question,
  request: CorrelationRequest,
): Promise<{ readonly events: Correlation[]; readonly skewed: boolean }> {
  const { frame, funnel } = await funnelOf(needs, question, request.funnel)
  const [totals] = await needs.ask<{ success: number | string; failure: number | string }>(
    question,
    (bindings) =>
      'SELECT countIf(converted) AS success, countIf(NOT converted) AS failure ' +
      `FROM (${outcomesSql(frame, funnel, bindings)})`,
  )
  const success = Number(totals?.success ?? 0)
  const failure = Number(totals?.failure ?? 0)
  const found = await needs.ask<{ name: string; success: number | string; failure: number | string }>(
    question,
    (bindings) =>
      'SELECT name, uniqExactIf(actor, converted) AS success, uniqExactIf(actor, NOT converted) AS failure ' +
      `FROM (${correlationCandidatesSql(frame, funnel, request, bindings)}) GROUP BY name ` +
      `ORDER BY success + failure DESC, name ASC LIMIT ${bindings.bind(CORRELATION_LIMITS.candidates, 'UInt64')}`,
  )
  const rows = found.map((one) =>
    correlationOf(one.name, Number(one.success), Number(one.failure), { success, failure }),
  )
  const shown = (row: Correlation): Correlation => ({
    ...row,
    success_count: scaledUp(row.success_count, request.funnel),
    failure_count: scaledUp(row.failure_count, request.funnel),
  })
  const of = (type: Correlation['correlation_type']) =>
    rows
      .filter(({ correlation_type }) => correlation_type === type)
      .sort((a, b) => strength(b) - strength(a) || (a.event < b.event ? -1 : 1))
      .slice(0, CORRELATION_LIMITS.rows)
  return {
    events: [...of('success'), ...of('failure')].map(shown),
    skewed: Math.min(success, failure) < SKEWED_BELOW * Math.max(success, failure),
  }
}

const strength = ({ odds_ratio }: Correlation) => Math.abs(Math.log(odds_ratio))

/**
 * Odds of success with it over odds without it. One is added to each of the four counts, so that a thing that nobody
 * who failed has is not infinitely telling.
 */
export function correlationOf(
  event: string,
  successCount: number,
  failureCount: number,
  all: { readonly success: number; readonly failure: number },
): Correlation {
  const odds =
    ((successCount + 1) * (all.failure - failureCount + 1)) /
    ((failureCount + 1) * (all.success - successCount + 1))
  return {
    event,
    success_count: successCount,
    failure_count: failureCount,
    odds_ratio: Math.round(odds * 1e4) / 1e4,
    correlation_type: odds >= 1 ? 'success' : 'failure',
  }
}

/** Everybody who entered: `actor, converted`, and the stretch of time that is looked at, both ends exclusive. */
function outcomesSql(frame: Frame, funnel: Funnel, bindings: Bindings): string {
  const last = funnel.steps.length
  const window = bindings.bind(funnel.windowMs, 'Int64')
  return (
    `SELECT actor, level = ${last} AS converted, best[1].2[1] AS after_ms, ` +
    `if(level = ${last}, best[1].2[${last}], best[1].2[1] + ${window}) AS before_ms ` +
    `FROM (${bestRunsSql(frame, funnel, bindings)})`
  )
}

/** Rows of `actor, converted, name`: that an actor has something. */
export function correlationCandidatesSql(
  frame: Frame,
  funnel: Funnel,
  { kind, names, events, excluded }: CorrelationRequest,
  bindings: Bindings,
): string {
  const outcomes = outcomesSql(frame, funnel, bindings)
  if (kind === 'properties') {
    const named = names.map((name) => {
      const bound = bindings.bind(name, 'String')
      return `(${bound}, ${jsonPropertySql('newest_properties', bound).text})`
    })
    const known =
      frame.groupTypeIndex === null
        ? newestPersonsSql(frame.dataset, bindings)
        : newestGroupsSql(frame.dataset, frame.groupTypeIndex, bindings)
    return (
      "SELECT actor, converted, concat(has.1, '::', has.2) AS name FROM (" +
      `SELECT actor, converted, arrayJoin([${named.join(', ')}]) AS has FROM (${outcomes}) AS outcomes ` +
      `INNER JOIN (${known}) AS known ON outcomes.actor = known.newest_key) ` +
      "WHERE has.2 != ''"
    )
  }
  const own = funnel.steps.flatMap(({ steps }) =>
    steps.flatMap(({ event }) => (event === null ? [] : [event])),
  )
  const isEvent =
    kind === 'events'
      ? `event NOT IN (${bindings.bind([...own, ...excluded, ''], 'Array(String)')})`
      : `event IN (${bindings.bind(events, 'Array(String)')})`
  const rows = eventRowsSql(
    frame,
    {
      fromMs: frame.fromMs,
      toMs: frame.toMs,
      columns: [
        `${actorSql(frame, bindings)} AS acting`,
        'toUnixTimestamp64Milli(event_time) AS time_ms',
        'event',
        kind === 'events' ? "'' AS own_properties" : 'properties AS own_properties',
      ],
      entities: null,
      where: [isEvent],
    },
    bindings,
  )
  const name =
    kind === 'events'
      ? 'event'
      : "arrayJoin(arrayMap(one -> concat(event, '::', one.1, '::', if(startsWith(one.2, '\"'), " +
        'JSONExtractString(one.2), one.2)), JSONExtractKeysAndValuesRaw(own_properties)))'
  return (
    `SELECT actor, converted, ${name} AS name FROM (${rows}) AS seen ` +
    `INNER JOIN (${outcomes}) AS outcomes ON seen.acting = outcomes.actor ` +
    'WHERE time_ms > after_ms AND time_ms < before_ms'
  )
}
