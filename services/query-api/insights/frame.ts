import type { Clock } from '../../core/runtime/clock.ts'
import { invalidInput } from '../http/api-error.ts'
import type { Ask } from '../query/ask.ts'
import type { Bindings } from '../query/bindings.ts'
import { parseDateRange } from '../query/date-range.ts'
import type { CohortMembers, FilterScope } from '../query/filter-sql.ts'
import { invalidPatterns } from '../query/invalid-patterns.ts'
import { type FilterGroup, filtersOf } from '../query/property-filters.ts'
import type { Question } from '../query/question.ts'
import { type Interval, intervalStarts, type TimeZone } from '../query/zoned-time.ts'
import type { Expression } from '../sql/syntax.ts'
import type { ActionStep, Definitions } from './definitions.ts'
import type { EntityRequest } from './entity-request.ts'
import type { InsightRequest } from './insight-request.ts'

/** Points of one line at most. */
export const INTERVALS_MAX = 1_500
const DAY_MS = 86_400_000

/** What insights are made of. */
export interface InsightNeeds {
  readonly ask: Ask
  readonly clock: Pick<Clock, 'now'>
  readonly definitions: Definitions
}

/** An entity with what it means: an event is of it when it is of one of its steps and passes its filters. */
export interface Entity extends EntityRequest {
  readonly steps: readonly ActionStep[]
}

/** A question's surroundings, looked up: every statement of it is made from these alone. */
export interface Frame {
  readonly dataset: string
  readonly zone: TimeZone
  /** Time of the question, epoch ms. */
  readonly nowMs: number
  /** `[fromMs, toMs)` */
  readonly fromMs: number
  readonly toMs: number
  /** Of all entities together. */
  readonly filters: FilterGroup
  readonly samplingFactor: number
  readonly groupTypeIndex: number | null
  /** Texts of it act instead of persons and groups; null for those. */
  readonly actorExpression: Expression | null
  /** Whether nobody asks who the actors are: numbers then stand for persons, which cost less. */
  readonly countsOnly: boolean
  readonly invalidPatterns: ReadonlySet<string>
  readonly cohorts: ReadonlyMap<number, CohortMembers>
  readonly cohortNames: ReadonlyMap<number, string>
}

/** What a question refers to beyond its common parameters. */
export interface References<E extends EntityRequest> {
  readonly entities: readonly E[]
  /** Cohorts that are no filters, such as those of a breakdown. */
  readonly cohortIds?: readonly number[]
  /** The range of a question whose start follows from its end, whatever `date_from` says. */
  readonly rangeTo?: (toMs: number) => { readonly fromMs: number; readonly toMs: number }
}

/**
 * Looks up what a question refers to: where its data begins, actions, cohorts, and which regular expressions the
 * engine can compile.
 *
 * @throws ApiError 400 for dates that are no range, and for an action or a cohort that is not there
 */
export async function frameOf<E extends EntityRequest>(
  needs: InsightNeeds,
  question: Question,
  request: InsightRequest,
  { entities, cohortIds = [], rangeTo }: References<E>,
): Promise<{ readonly frame: Frame; readonly entities: readonly (E & Entity)[] }> {
  const { dataset, zone } = question
  const dateFrom = rangeTo === undefined ? request.dateFrom : 'all'
  const nowMs = needs.clock.now()
  const asked = parseDateRange(dateFrom, request.dateTo, nowMs, zone)
  const range = rangeTo === undefined ? asked : rangeTo(asked.toMs)
  const resolved = await Promise.all(
    entities.map(async (entity) => ({ ...entity, ...(await meaningOf(entity, dataset.id, needs)) })),
  )
  const testAccounts = request.filterTestAccounts
    ? [await needs.definitions.testAccountFilters(dataset.id)]
    : []
  const filters: FilterGroup = { kind: 'AND', parts: [request.filters, ...testAccounts] }
  const groups = [
    filters,
    ...resolved.flatMap((entity) => [entity.filters, ...entity.steps.map((step) => step.filters)]),
  ]
  const named = groups.flatMap(filtersOf).flatMap((one) => (one.kind === 'cohort' ? [one.id] : []))
  const cohorts = await cohortsOf([...new Set([...cohortIds, ...named])], dataset.id, needs)
  const fromMs = range.fromMs ?? (await firstEventMs(needs.ask, question)) ?? range.toMs - DAY_MS
  question.onRange?.({ fromMs, toMs: range.toMs })
  return {
    frame: {
      dataset: dataset.id,
      zone,
      nowMs,
      fromMs,
      toMs: range.toMs,
      filters,
      samplingFactor: request.samplingFactor,
      groupTypeIndex: request.groupTypeIndex,
      actorExpression: null,
      countsOnly: false,
      invalidPatterns: await invalidPatterns(needs.ask, question, groups),
      cohorts: new Map(cohorts.map(({ id, members }) => [id, members])),
      cohortNames: new Map(cohorts.map(({ id, name }) => [id, name])),
    },
    entities: resolved,
  }
}

/** The frame of statements that count actors and name none. */
export function counting(frame: Frame): Frame {
  return { ...frame, countsOnly: true }
}

/** What conditions of a statement of this question depend on. */
export function filterScope(frame: Frame, bindings: Bindings): FilterScope {
  return {
    dataset: frame.dataset,
    bindings,
    zone: frame.zone,
    nowMs: frame.nowMs,
    invalidPatterns: frame.invalidPatterns,
    sessions: { fromMs: frame.fromMs, toMs: frame.toMs },
    cohorts: frame.cohorts,
  }
}

/**
 * Starts of the intervals that the range of a question touches.
 *
 * @throws ApiError 400 for more than {@link INTERVALS_MAX}
 */
export function startsOf(frame: Frame, interval: Interval): number[] {
  const starts = intervalStarts(interval, frame.fromMs, frame.toMs, frame.zone, INTERVALS_MAX)
  if (starts.length <= INTERVALS_MAX) return starts
  throw invalidInput('interval', `This makes more than ${INTERVALS_MAX} points. Take a longer interval.`)
}

/** What it is, and what it is called: an action as it is saved where the question does not say. */
async function meaningOf(
  { id, name }: EntityRequest,
  dataset: string,
  { definitions }: InsightNeeds,
): Promise<{ readonly steps: readonly ActionStep[]; readonly name: string }> {
  if (typeof id !== 'number') return { steps: [{ event: id, filters: { kind: 'AND', parts: [] } }], name }
  const action = await definitions.action(dataset, id)
  if (action === null) throw invalidInput('actions__id', `There is no action ${id}.`)
  return { steps: action.steps, name: name === String(id) ? action.name : name }
}

/** Cohorts by their ids. @throws ApiError 400 for one that is not there */
export async function cohortsOf(
  ids: readonly number[],
  dataset: string,
  { definitions }: Pick<InsightNeeds, 'definitions'>,
) {
  return Promise.all(
    ids.map(async (id) => {
      const cohort = await definitions.cohort(dataset, id)
      if (cohort === null) throw invalidInput('properties', `There is no cohort ${id}.`)
      return cohort
    }),
  )
}

/** When the dataset's data begins; null when there is none. */
async function firstEventMs(ask: Ask, question: Question): Promise<number | null> {
  const [row] = await ask<{ first_ms: string | number | null }>(
    question,
    (bindings) =>
      'SELECT if(count() = 0, NULL, toUnixTimestamp64Milli(min(event_time))) AS first_ms FROM events ' +
      `WHERE dataset_id = ${bindings.bind(question.dataset.id, 'String')}`,
  )
  return row === undefined || row.first_ms === null ? null : Number(row.first_ms)
}
