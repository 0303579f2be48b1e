import { invalidInput } from '../http/api-error.ts'
import {
  choiceDeclared,
  flagDeclared,
  jsonDeclared,
  type ParameterDeclarations,
} from '../http/parameter-declarations.ts'
import { choiceParameter, type RawQuery } from '../http/request-parameters.ts'
import type { Bindings } from '../query/bindings.ts'
import type { Question } from '../query/question.ts'
import type { Interval } from '../query/zoned-time.ts'
import { type EntityRequest, jsonParameter, objectOf, readEntities } from './entity-request.ts'
import { actorSql, eventRowsSql } from './event-rows.ts'
import { type Entity, frameOf, type InsightNeeds } from './frame.ts'
import { impliedBeside } from './implied-parameters.ts'
import {
  ACTIONS_PARAMETER,
  EVENTS_PARAMETER,
  flagParameter,
  INSIGHT_PARAMETERS,
  type InsightRequest,
  readInsightRequest,
  refuseUndeclared,
} from './insight-request.ts'
import { scaledUp } from './sampling.ts'
import { countedGroupsOf, MATH_MEMBERS, readMath } from './series-math.ts'
import { type Period, periodsOf } from './trend.ts'
import { INTERVAL_PARAMETER, readInterval, SERIES_MAX } from './trend-request.ts'
import { startMsSql } from './trend-shape.ts'

const COMPUTATIONS = ['non_cumulative', 'cumulative'] as const

export const STICKINESS_PARAMETERS = {
  events: EVENTS_PARAMETER,
  actions: ACTIONS_PARAMETER,
  interval: INTERVAL_PARAMETER,
  computed_as: choiceDeclared(
    'Actors of exactly n intervals, or of at least n.',
    COMPUTATIONS,
    'non_cumulative',
  ),
  stickiness_criteria: jsonDeclared('Events that an interval needs: `{"operator":"gte","value":3}`.'),
  compare: flagDeclared('Whether the period before is answered as well.'),
  ...INSIGHT_PARAMETERS,
}

export const STICKINESS_IMPLIED = impliedBeside({
  insight: ['STICKINESS', 'TRENDS'],
  shown_as: ['Stickiness'],
})

const COMPARISONS = { gte: '>=', lte: '<=', exact: '=' } as const
const OPERATORS = Object.keys(COMPARISONS) as (keyof typeof COMPARISONS)[]
/** Events of one interval that a criterion may ask for. */
const CRITERION_MAX = 1_000_000

export interface StickinessSeries extends EntityRequest {
  /** Groups of that type are counted; null for the actors of the question. */
  readonly countedGroups: number | null
}

export interface StickinessRequest extends InsightRequest {
  readonly series: readonly StickinessSeries[]
  readonly interval: Interval
  /** Whether the period before is answered as well. */
  readonly compare: boolean
  /** Actors active in at least n intervals instead of in exactly n. */
  readonly cumulative: boolean
  /** Events that make an interval one in which an actor was active. */
  readonly criterion: { readonly operator: keyof typeof COMPARISONS; readonly value: number }
}

/** @throws ApiError 400 */
export function readStickinessRequest(
  query: RawQuery,
  further: ParameterDeclarations = {},
): StickinessRequest {
  const { computedAs, stickinessCriteria, ...rest } = query
  const given = {
    ...rest,
    ...(computedAs === undefined ? {} : { computed_as: computedAs }),
    ...(stickinessCriteria === undefined ? {} : { stickiness_criteria: stickinessCriteria }),
  }
  refuseUndeclared(given, STICKINESS_PARAMETERS, further, STICKINESS_IMPLIED)
  const series = readEntities(given, MATH_MEMBERS, (one, attr) => ({
    countedGroups: countedGroupsOf(readMath(one, attr), attr),
  }))
  if (series.length === 0 || series.length > SERIES_MAX)
    throw invalidInput('events', `events and actions must be 1 to ${SERIES_MAX} series together.`)
  return {
    ...readInsightRequest(given),
    series,
    interval: readInterval(given),
    compare: flagParameter(given, 'compare'),
    cumulative: choiceParameter(given, 'computed_as', COMPUTATIONS, 'non_cumulative') === 'cumulative',
    criterion: readCriterion(given),
  }
}

function readCriterion(query: RawQuery): StickinessRequest['criterion'] {
  const given = jsonParameter(query, 'stickiness_criteria')
  if (given === null) return { operator: 'gte', value: 1 }
  const { operator, value } = objectOf(given, 'stickiness_criteria')
  const known = OPERATORS.find((one) => one === operator)
  const isCount = typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= CRITERION_MAX
  if (known === undefined || !isCount)
    throw invalidInput(
      'stickiness_criteria',
      'Send {"operator":"gte","value":2}; the operators are gte, lte, exact.',
    )
  return { operator: known, value }
}

export interface StickinessRow {
  readonly action: {
    readonly id: string | number | null
    readonly type: string
    readonly order: number
    readonly name: string
  }
  readonly label: string
  /** Actors, each once; with `computed_as=cumulative` the first number. */
  readonly count: number
  /** `data[n − 1]`: actors active in exactly n intervals. */
  readonly data: readonly number[]
  /** `1 day`, `2 days` … */
  readonly labels: readonly string[]
  readonly days: readonly number[]
  readonly compare?: true
  readonly compare_label?: Period['name']
  readonly persons_urls?: readonly { readonly url: string }[]
}

/** In how many intervals of the range actors were active. */
export async function stickiness(
  needs: InsightNeeds,
  question: Question,
  request: StickinessRequest,
): Promise<StickinessRow[]> {
  const { frame, entities } = await frameOf(needs, question, request, { entities: request.series })
  const rows: StickinessRow[] = []
  for (const period of periodsOf(frame, request))
    for (const entity of entities) {
      const records = await needs.ask<{ active: number | string; actors: number | string }>(
        question,
        (bindings) => {
          const actors = stickinessActorsSql(period, entity, request, bindings)
          return `SELECT active, count() AS actors FROM (${actors}) GROUP BY active`
        },
      )
      const row = stickinessRow(entity, request, period.startsMs.length, records)
      rows.push(request.compare ? { ...row, compare: true, compare_label: period.name } : row)
    }
  return rows
}

/** A row per actor: in how many intervals it was `active`, at least in one. */
export function stickinessActorsSql(
  { frame: asked, startsMs }: Period,
  entity: Entity & StickinessSeries,
  request: Pick<StickinessRequest, 'criterion'>,
  bindings: Bindings,
): string {
  const frame = { ...asked, groupTypeIndex: entity.countedGroups ?? asked.groupTypeIndex }
  const { operator, value } = request.criterion
  const rows = eventRowsSql(
    frame,
    {
      fromMs: frame.fromMs,
      toMs: frame.toMs,
      columns: [`${actorSql(frame, bindings)} AS actor`, `${startMsSql(startsMs, bindings)} AS start_ms`],
      entities: [entity],
    },
    bindings,
  )
  return (
    `SELECT actor, count() AS active FROM (SELECT actor, start_ms FROM (${rows}) WHERE actor != '' ` +
    `GROUP BY actor, start_ms HAVING count() ${COMPARISONS[operator]} ${bindings.bind(value, 'UInt64')}) GROUP BY actor`
  )
}

function stickinessRow(
  entity: EntityRequest,
  request: StickinessRequest,
  intervals: number,
  records: readonly { readonly active: number | string; readonly actors: number | string }[],
): StickinessRow {
  const { interval, cumulative } = request
  const exactly = new Map(
    records.map(({ active, actors }) => [Number(active), scaledUp(Number(actors), request)]),
  )
  const counts = Array.from({ length: intervals }, (_, index) => exactly.get(index + 1) ?? 0)
  const sum = (some: readonly number[]) => some.reduce((total, count) => total + count, 0)
  const { id, type, order, name, customName } = entity
  return {
    action: { id, type, order, name },
    label: customName ?? name,
    count: sum(counts),
    data: cumulative ? counts.map((_, index) => sum(counts.slice(index))) : counts,
    labels: counts.map((_, index) => `${index + 1} ${interval}${index === 0 ? '' : 's'}`),
    days: counts.map((_, index) => index + 1),
  }
}
