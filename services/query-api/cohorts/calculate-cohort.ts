import type { CohortRow } from '../../core/metadata/metadata-tables.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import type { Definitions } from '../insights/definitions.ts'
import type { Frame } from '../insights/frame.ts'
import type { Ask, Tell } from '../query/ask.ts'
import type { Bindings } from '../query/bindings.ts'
import type { CohortMembers } from '../query/filter-sql.ts'
import { invalidExpressions } from '../query/invalid-patterns.ts'
import { filtersOf, NO_FILTERS, patternsOf } from '../query/property-filters.ts'
import type { Question } from '../query/question.ts'
import type { CriteriaScope } from './behaviour-sql.ts'
import type { CalculationResult, CalculationStore } from './calculation-store.ts'
import type { EventAsked } from './cohort-behaviour.ts'
import { cohortsIn, eventsIn, expressionsIn, readCriteria } from './cohort-criteria.ts'
import { type CohortSet, type InsertListed, isOfSet, membersOfSet } from './cohort-members.ts'
import { criteriaSql } from './criteria-sql.ts'

/** What calculations are made of. */
export interface CalculationNeeds {
  readonly ask: Ask
  readonly tell: Tell
  readonly insertListed: InsertListed
  readonly clock: Pick<Clock, 'now'>
  readonly definitions: Pick<Definitions, 'action' | 'cohort'>
  readonly calculations: CalculationStore
}

/** A SELECT of one column `person`. */
export type PeopleOfCohort = (bindings: Bindings) => string

/** Puts whoever becomes a member into a set that is empty yet. */
export type Fill = (question: Question, set: CohortSet) => Promise<void>

export function filledFrom({ tell }: Pick<CalculationNeeds, 'tell'>, people: PeopleOfCohort): Fill {
  return (question, set) =>
    tell(
      question,
      (bindings) =>
        'INSERT INTO cohort_members (dataset_id, cohort_id, calculation, distinct_id) ' +
        `SELECT DISTINCT ${setColumns(set, bindings)}, person FROM (${people(bindings)}) WHERE person != ''`,
    )
}

function setColumns({ dataset, cohort, calculation }: CohortSet, bindings: Bindings): string {
  return `${bindings.bind(dataset, 'String')}, ${bindings.bind(cohort, 'UInt64')}, ${bindings.bind(calculation, 'UInt64')}`
}

/**
 * Writes a set of its own for a calculation that was begun, notes who came and went, and makes the set the one that
 * holds. Until that last step nobody sees anything of it.
 *
 * @returns whether it holds now
 * @throws DependencyError; ApiError for members that cannot be told
 */
export async function writeMembers(
  needs: CalculationNeeds,
  question: Question,
  begun: CohortRow,
  fill: Fill,
): Promise<boolean> {
  const set = { dataset: begun.dataset_id, cohort: begun.id, calculation: begun.begun }
  await fill(question, set)
  const result = await noteChanges(needs, question, set, { ...set, calculation: begun.calculation })
  return needs.calculations.publish(begun, result, needs.clock.now())
}

async function noteChanges(
  { ask, tell, clock }: CalculationNeeds,
  question: Question,
  now: CohortSet,
  before: CohortSet,
): Promise<CalculationResult> {
  const changedMs = clock.now()
  await tell(question, (bindings) => {
    const [newer, older] = [membersOfSet(now), membersOfSet(before)]
    const difference = (some: CohortMembers, others: CohortMembers, isMember: 0 | 1) =>
      `SELECT DISTINCT person, ${isMember} AS is_member FROM (${some(bindings)}) WHERE person NOT IN (${others(bindings)})`
    return (
      'INSERT INTO cohort_changes (dataset_id, cohort_id, calculation, distinct_id, is_member, changed_at) ' +
      `SELECT ${setColumns(now, bindings)}, person, is_member, fromUnixTimestamp64Milli(${bindings.bind(changedMs, 'Int64')}, 'UTC') ` +
      `FROM (${difference(newer, older, 1)} UNION ALL ${difference(older, newer, 0)})`
    )
  })
  const [row] = await ask<{ members: number | string; entered: number | string; gone: number | string }>(
    question,
    (bindings) =>
      `SELECT (SELECT uniqExact(person) FROM (${membersOfSet(now)(bindings)})) AS members, ` +
      'countIf(is_member) AS entered, countIf(NOT is_member) AS gone ' +
      `FROM cohort_changes WHERE ${isOfSet(now, bindings)}`,
  )
  return {
    members: Number(row?.members ?? 0),
    entered: Number(row?.entered ?? 0),
    left: Number(row?.gone ?? 0),
  }
}

/**
 * Who fits the criteria of a dynamic cohort at this moment.
 *
 * @throws ApiError for an action or a cohort that is not there any more, or was not calculated yet
 */
export async function fittingPeople(
  needs: Pick<CalculationNeeds, 'ask' | 'clock' | 'definitions'>,
  question: Question,
  filters: string,
): Promise<PeopleOfCohort> {
  const { ask, clock, definitions } = needs
  const { dataset, zone } = question
  const criteria = readCriteria(JSON.parse(filters))
  const events = new Map(eventsIn(criteria).map((event) => [keyOf(event), event]))
  const steps = new Map(
    await Promise.all(
      [...events].map(async ([key, event]) => [key, await stepsOf(event, dataset.id, definitions)] as const),
    ),
  )
  const stepFilters = [...steps.values()].flat().map((step) => step.filters)
  const named = stepFilters.flatMap(filtersOf).flatMap((one) => (one.kind === 'cohort' ? [one.id] : []))
  const cohorts = new Map<number, CohortMembers>()
  for (const id of new Set([...cohortsIn(criteria), ...named])) {
    const cohort = await definitions.cohort(dataset.id, id)
    if (cohort === null) throw new UnfitCriteria(`There is no cohort ${id} any more.`)
    cohorts.set(id, cohort.members)
  }
  const nowMs = clock.now()
  const frame: Frame = {
    dataset: dataset.id,
    zone,
    nowMs,
    fromMs: 0,
    toMs: nowMs,
    filters: NO_FILTERS,
    samplingFactor: 1,
    groupTypeIndex: null,
    actorExpression: null,
    countsOnly: false,
    invalidPatterns: await invalidExpressions(ask, question, [
      ...expressionsIn(criteria),
      ...stepFilters.flatMap(patternsOf),
    ]),
    cohorts,
    cohortNames: new Map(),
  }
  const scope: CriteriaScope = { frame, stepsOf: (event) => steps.get(keyOf(event)) ?? [] }
  return (bindings) => criteriaSql(criteria, scope, bindings)
}

/** Criteria refer to what is not there any more. Its message is for people. */
export class UnfitCriteria extends Error {}

function keyOf({ type, id }: EventAsked): string {
  return JSON.stringify([type, id])
}

async function stepsOf(event: EventAsked, dataset: string, definitions: Pick<Definitions, 'action'>) {
  if (event.type === 'events') return [{ event: event.id, filters: NO_FILTERS }]
  const action = await definitions.action(dataset, event.id)
  if (action === null) throw new UnfitCriteria(`There is no action ${event.id} any more.`)
  return action.steps
}
