import { invalidInput } from '../http/api-error.ts'
import { choiceDeclared, textDeclared, wholeDeclared } from '../http/parameter-declarations.ts'
import { choiceParameter, type RawQuery, textParameter } from '../http/request-parameters.ts'
import type { Question } from '../query/question.ts'
import { frameOf, INTERVALS_MAX, type InsightNeeds } from './frame.ts'
import { wholeParameter } from './insight-request.ts'
import {
  LIFECYCLE_STATUSES,
  lifecycleActorsSql,
  lifecycleIntervals,
  readLifecycleRequest,
} from './lifecycle.ts'
import { actorRows, type GroupRow, type PeopleSql, type PersonRow } from './people.ts'
import {
  COMPARE_LABEL_PARAMETER,
  ENTITY_ORDER_PARAMETER,
  PAGE_PARAMETERS,
  type PeoplePage,
  readPoint,
} from './people-request.ts'
import { retentionOf } from './retention.ts'
import { RETENTION_LIMITS, readRetentionRequest } from './retention-request.ts'
import { retentionActorsSql } from './retention-sql.ts'
import { readStickinessRequest, stickinessActorsSql } from './stickiness.ts'
import { type Period, periodsOf } from './trend.ts'

export interface BehindNumber {
  readonly sql: PeopleSql
  readonly groupTypeIndex: number | null
}

export const STICKINESS_PEOPLE_PARAMETERS = {
  stickiness_days: wholeDeclared('Intervals in which they were active.', 1, INTERVALS_MAX),
  entity_order: ENTITY_ORDER_PARAMETER,
  compare_label: COMPARE_LABEL_PARAMETER,
  ...PAGE_PARAMETERS,
}

/** Those who were active in exactly (cumulative: at least) `stickiness_days` intervals. */
export async function stickinessPeople(
  needs: InsightNeeds,
  question: Question,
  query: RawQuery,
): Promise<BehindNumber> {
  const request = readStickinessRequest(query, STICKINESS_PEOPLE_PARAMETERS)
  const { frame, entities } = await frameOf(needs, question, request, { entities: request.series })
  const isPrevious = textParameter(query, 'compare_label') === 'previous'
  const period = periodsOf(frame, { ...request, compare: isPrevious }).at(-1) as Period
  const entity = entities[wholeParameter(query, 'entity_order', 0, entities.length - 1) ?? 0]!
  const days = wholeParameter(query, 'stickiness_days', 1, period.startsMs.length)
  if (days === null) throw invalidInput('stickiness_days', 'Say in how many intervals: stickiness_days.')
  const comparison = request.cumulative ? '>=' : '='
  return {
    sql: (bindings) => {
      const actors = stickinessActorsSql(period, entity, request, bindings)
      return `SELECT actor, toUInt64(1) AS amount FROM (${actors}) WHERE active ${comparison} ${bindings.bind(days, 'UInt64')}`
    },
    groupTypeIndex: entity.countedGroups ?? request.groupTypeIndex,
  }
}

export const LIFECYCLE_PEOPLE_PARAMETERS = {
  lifecycle_type: choiceDeclared('Their status.', LIFECYCLE_STATUSES, 'new'),
  target_date: textDeclared('Start of the interval.'),
  ...PAGE_PARAMETERS,
}

/** Those of one status (`lifecycle_type`) in the interval of `target_date`. */
export async function lifecyclePeople(
  needs: InsightNeeds,
  question: Question,
  query: RawQuery,
): Promise<BehindNumber> {
  const request = readLifecycleRequest(query, LIFECYCLE_PEOPLE_PARAMETERS)
  const status = choiceParameter(query, 'lifecycle_type', LIFECYCLE_STATUSES, 'new')
  const { frame, entities } = await frameOf(needs, question, request, { entities: [request.entity] })
  const intervals = lifecycleIntervals(frame, request.interval)
  const startsMs = intervals.startsMs.slice(1)
  const point = readPoint(query, 'target_date', startsMs, frame.zone)
  if (point === null) throw invalidInput('target_date', 'Say which interval: target_date, its start.')
  return {
    sql: (bindings) =>
      `SELECT actor, toUInt64(1) AS amount FROM (${lifecycleActorsSql(frame, entities[0]!, intervals, bindings)}) ` +
      `WHERE status = '${status}' AND start_ms = ${bindings.bind(startsMs[point] as number, 'Int64')}`,
    groupTypeIndex: request.groupTypeIndex,
  }
}

export const RETENTION_PEOPLE_PARAMETERS = {
  selected_interval: wholeDeclared(
    'The period in which they began, counted from 0.',
    0,
    RETENTION_LIMITS.intervals - 1,
    0,
  ),
  ...PAGE_PARAMETERS,
}

export interface RetentionPerson {
  readonly person: PersonRow | GroupRow
  /** 1 for every number of periods after which the actor came back; the first one is the beginning. */
  readonly appearances: readonly (0 | 1)[]
}

/**
 * Those who began in the period `selected_interval`, counted from 0, the most faithful first. The appearances of all
 * pages add up to the row of that period.
 */
export async function retentionPeople(
  needs: InsightNeeds,
  question: Question,
  query: RawQuery,
  page: PeoplePage,
): Promise<{ readonly people: readonly RetentionPerson[]; readonly isLast: boolean }> {
  const request = readRetentionRequest(query, RETENTION_PEOPLE_PARAMETERS)
  const { frame, retention } = await retentionOf(needs, question, request)
  const cohort = wholeParameter(query, 'selected_interval', 0, request.intervals - 1) ?? 0
  const periods = request.intervals - cohort
  const rows = await needs.ask<{ actor: string; appearances: number[] }>(question, (bindings) => {
    const appearances = `arrayMap(n -> bitTest(came, n), range(${periods}))`
    return (
      `SELECT actor, ${appearances} AS appearances FROM (${retentionActorsSql(frame, retention, bindings)}) ` +
      `WHERE cohort = ${bindings.bind(cohort, 'UInt64')} ORDER BY arraySum(appearances) DESC, actor ASC ` +
      `LIMIT ${bindings.bind(page.limit + 1, 'UInt64')} OFFSET ${bindings.bind(page.offset, 'UInt64')}`
    )
  })
  const shown = rows.slice(0, page.limit)
  const actors = await actorRows(
    needs.ask,
    question,
    shown.map(({ actor }) => actor),
    request.groupTypeIndex,
  )
  return {
    people: actors.map((actor, index) => {
      const appearances = shown[index]!.appearances.map((came) => (Number(came) === 1 ? 1 : 0))
      return {
        person: { ...actor, value_at_data_point: appearances.filter((came) => came === 1).length },
        appearances,
      }
    }),
    isLast: rows.length <= page.limit,
  }
}

/** Like {@link retentionPeople}: all of them, as a statement. */
export async function retentionBeginners(
  needs: InsightNeeds,
  question: Question,
  query: RawQuery,
): Promise<BehindNumber> {
  const request = readRetentionRequest(query, RETENTION_PEOPLE_PARAMETERS)
  const { frame, retention } = await retentionOf(needs, question, request)
  const cohort = wholeParameter(query, 'selected_interval', 0, request.intervals - 1) ?? 0
  return {
    sql: (bindings) =>
      `SELECT actor, toUInt64(1) AS amount FROM (${retentionActorsSql(frame, retention, bindings)}) ` +
      `WHERE cohort = ${bindings.bind(cohort, 'UInt64')}`,
    groupTypeIndex: request.groupTypeIndex,
  }
}
