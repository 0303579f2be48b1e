import { invalidInput } from '../http/api-error.ts'
import {
  FILTER_LIMITS,
  filtersOf,
  type PropertyFilter,
  patternsOf,
  readFilterTree,
} from '../query/property-filters.ts'
import { type Behaviour, type EventAsked, readBehaviour } from './cohort-behaviour.ts'

/** What makes somebody a member, or with `isNegated` what must not hold of him. */
export type Criterion = { readonly isNegated: boolean } & (
  | { readonly kind: 'person'; readonly filter: PropertyFilter }
  | { readonly kind: 'cohort'; readonly id: number }
  | { readonly kind: 'behaviour'; readonly behaviour: Behaviour }
)

export interface CriteriaGroup {
  readonly kind: 'AND' | 'OR'
  readonly parts: readonly (CriteriaGroup | Criterion)[]
}

const PERSON_ONLY = ['person'] as const
const COHORT_ONLY = ['cohort'] as const
const COHORT_TYPES: readonly unknown[] = ['cohort', 'static-cohort', 'precalculated-cohort']

/** Whether the filters of a cohort ask for nothing. */
export function hasCriteria(filters: { readonly properties?: unknown }): boolean {
  const { properties } = filters
  const values = (properties as { readonly values?: unknown } | undefined)?.values
  return properties !== undefined && !(Array.isArray(values) && values.length === 0)
}

/**
 * Reads `{"properties": {"type": "AND"|"OR", "values": […]}}`, groups in groups.
 *
 * There is no set of everybody to subtract from, so a negation is only known as something that members of a set do not
 * do: every AND has a part that is not negated, and nothing in an OR is.
 *
 * @throws ApiError 400
 */
export function readCriteria(filters: { readonly properties?: unknown }, attr = 'filters'): CriteriaGroup {
  const group = readPart(filters.properties, 1, { left: FILTER_LIMITS.filters }, `${attr}__properties`)
  if (!('parts' in group)) throw invalidInput(attr, 'The criteria are a group: {"type":"AND","values":[…]}.')
  return group
}

function readPart(
  value: unknown,
  depth: number,
  budget: { left: number },
  attr: string,
): CriteriaGroup | Criterion {
  if (depth > FILTER_LIMITS.depth)
    throw invalidInput(attr, `Groups may be ${FILTER_LIMITS.depth} deep at most.`)
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalidInput(attr, 'A criterion is an object with a "type".')
  const given = value as Readonly<Record<string, unknown>>
  if (given.type !== 'AND' && given.type !== 'OR') {
    if (budget.left-- === 0)
      throw invalidInput(attr, `There may be at most ${FILTER_LIMITS.filters} criteria.`)
    return readCriterion(given, attr)
  }
  if (!Array.isArray(given.values) || given.values.length === 0)
    throw invalidInput(`${attr}__values`, 'A group has criteria in "values".')
  const parts = given.values.map((part, at) => readPart(part, depth + 1, budget, `${attr}__values__${at}`))
  const isNegated = (part: CriteriaGroup | Criterion) => 'isNegated' in part && part.isNegated
  if (given.type === 'OR' ? parts.some(isNegated) : parts.every(isNegated))
    throw invalidInput(
      attr,
      'What is negated stands in an AND, beside something that is not: otherwise it is about everybody there could be.',
    )
  return { kind: given.type, parts }
}

function readCriterion(given: Readonly<Record<string, unknown>>, attr: string): Criterion {
  const isNegated = given.negation === true
  if (given.type === 'behavioral' || given.type === 'behavioural')
    return { kind: 'behaviour', isNegated, behaviour: readBehaviour(given, attr) }
  if (COHORT_TYPES.includes(given.type)) {
    const [cohort] = filtersOf(readFilterTree(given, attr, COHORT_ONLY))
    if (cohort?.kind === 'cohort') return cohort
  }
  if (given.type === 'person') {
    const [filter] = filtersOf(readFilterTree(given, attr, PERSON_ONLY))
    if (filter?.kind === 'filter' && filter.owner.of === 'person' && filter.owner.asOf === 'now')
      return { kind: 'person', isNegated, filter }
    throw invalidInput(attr, 'A cohort is made of properties of persons as they are now.')
  }
  throw invalidInput(attr, 'The type of a criterion is "person", "cohort" or "behavioral".')
}

export function criteriaOf(group: CriteriaGroup): Criterion[] {
  return group.parts.flatMap((part) => ('parts' in part ? criteriaOf(part) : [part]))
}

/** Cohorts that it is made of, each once, also those that filters of events name. */
export function cohortsIn(group: CriteriaGroup): number[] {
  const ids = criteriaOf(group).flatMap((one) => {
    if (one.kind === 'cohort') return [one.id]
    if (one.kind !== 'behaviour') return []
    return filtersOf(one.behaviour.filters).flatMap((filter) => (filter.kind === 'cohort' ? [filter.id] : []))
  })
  return [...new Set(ids)]
}

/** Events that its behaviours are about. */
export function eventsIn(group: CriteriaGroup): EventAsked[] {
  return criteriaOf(group).flatMap((one) => {
    if (one.kind !== 'behaviour') return []
    const { behaviour } = one
    return behaviour.kind === 'performed_event_sequence'
      ? [behaviour.event, behaviour.then]
      : [behaviour.event]
  })
}

/** Every regular expression in it. */
export function expressionsIn(group: CriteriaGroup): string[] {
  return criteriaOf(group).flatMap((one) => {
    if (one.kind === 'behaviour') return patternsOf(one.behaviour.filters)
    return one.kind === 'person' ? patternsOf({ kind: 'AND', parts: [one.filter] }) : []
  })
}
