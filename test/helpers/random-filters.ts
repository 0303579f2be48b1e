import { ELEMENT_PROPERTIES } from '../../services/query-api/query/element-properties.ts'
import {
  EXPRESSION_TYPES,
  FILTER_TYPES,
  type FilterType,
  OPERATORS,
} from '../../services/query-api/query/property-filters.ts'
import { RECORDING_PROPERTIES } from '../../services/query-api/query/recording-rows.ts'
import { SESSION_PROPERTIES } from '../../services/query-api/query/session-properties.ts'
import type { Draws } from './draws.ts'
import { RandomSql } from './random-sql.ts'

/** What requests are made of, beside what they are about. */
export interface RequestNames {
  /** Names and values. Others of the same length make requests of the same shape. */
  readonly texts: readonly string[]
  /** Ids that the asking dataset has. */
  readonly cohorts: readonly number[]
  readonly actions: readonly number[]
  readonly insights: readonly number[]
  /** Ids of persons, some of them of other datasets. */
  readonly persons: readonly string[]
}

export const OWN_EVENTS = ['view', 'buy', '$pageview', '$autocapture'] as const
export const OWN_IDS = ['u0', 'u1', 'u2', 'anonymous'] as const
export const OWN_SESSIONS = ['s0', 's1', 's2'] as const
export const OWN_GROUPS = ['acme', 'globex'] as const
export const OWN_PROPERTIES = ['of', 'plan', 'amount', '$browser', 'name', 'email'] as const
const OWN_VALUES = ['free', 'pro', '5', 'Firefox'] as const
/** Valid and not, the same whatever the texts are: the engine decides which of them stand in a statement. */
const PATTERNS = ['(', '[a', '(?i)PRO', '.*', '^$', '\\d+'] as const
const NUMBERS = [5, '5', 2.5, '1e999', '-1', 'x'] as const
const DATES = ['2026-11-20', '2026-11-22T10:00:00Z', '2026-11-21 10:00', '1999-01-01', 'x'] as const

/** A pattern that fits the text itself. */
export function escaped(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&')
}

/** Filters, events and breakdowns of requests, of every type and operator. */
export class RandomFilters {
  readonly draws: Draws
  readonly names: RequestNames

  constructor(draws: Draws, names: RequestNames) {
    this.draws = draws
    this.names = names
  }

  text(): string {
    return this.draws.pick(this.names.texts)
  }

  /** One that is there, or any text. */
  #known(own: readonly string[]): string {
    return this.draws.chance(0.6) ? this.draws.pick(own) : this.text()
  }

  event = () => this.#known(OWN_EVENTS)
  distinctId = () => this.#known(OWN_IDS)
  session = () => this.#known(OWN_SESSIONS)
  group = () => this.#known(OWN_GROUPS)
  property = () => this.#known(OWN_PROPERTIES)
  value = () => this.#known(OWN_VALUES)
  person = () => this.draws.pick(this.names.persons)
  groupType = () => this.draws.below(3)

  /** An expression about one event. */
  condition(): string {
    return new RandomSql(this.draws.seed(), this.names.texts).filter()
  }

  expression(): string {
    return new RandomSql(this.draws.seed(), this.names.texts).expression()
  }

  filter(types: readonly FilterType[] = FILTER_TYPES): object {
    const { draws } = this
    const type = draws.pick(types)
    if (type === 'hogql') return { type: draws.pick(EXPRESSION_TYPES), key: this.condition(), value: null }
    if (type === 'cohort') {
      const negation = draws.chance(0.3)
      return { type, key: 'id', value: draws.pick(this.names.cohorts), negation }
    }
    if (type === 'element' && draws.chance(0.3)) return this.#selectorFilter()
    const operator = draws.pick(OPERATORS)
    const keys = { session: SESSION_PROPERTIES, element: ELEMENT_PROPERTIES, recording: RECORDING_PROPERTIES }
    return {
      type,
      key: type in keys ? draws.pick(keys[type as keyof typeof keys]) : this.property(),
      operator,
      value: this.#filterValue(operator),
      ...(type === 'group' ? { group_type_index: this.groupType() } : {}),
      ...(type === 'person' && types.length > 2 ? { as_of: draws.pick(['now', 'event']) } : {}),
    }
  }

  #selectorFilter(): object {
    const { draws } = this
    const text = String(this.value()).replaceAll('"', '').slice(0, 200)
    const value = `${draws.pick(['form > ', '#buy .big ', ''])}a[title="${text}"]${draws.pick(['', ' *'])}`
    return { type: 'element', key: 'selector', operator: draws.pick(['exact', 'is_not']), value }
  }

  #filterValue(operator: string): unknown {
    const { draws } = this
    if (operator.startsWith('is_date')) return draws.pick(DATES)
    if (/^[gl]te?$/.test(operator)) return draws.pick(NUMBERS)
    if (operator.endsWith('regex')) return draws.chance(0.4) ? draws.pick(PATTERNS) : escaped(this.value())
    if (operator === 'exact' || operator === 'is_not')
      return draws.chance(0.4) ? draws.times(1 + draws.below(3), this.value) : this.value()
    return draws.chance(0.1) ? true : this.value()
  }

  /** A list of filters, or groups of them in groups. */
  filters(types: readonly FilterType[] = FILTER_TYPES): object {
    const { draws } = this
    const list = (max: number) => draws.times(1 + draws.below(max), () => this.filter(types))
    if (draws.chance(0.6)) return list(3)
    const group = { type: draws.pick(['AND', 'OR']), values: list(2) as object[] }
    if (draws.chance(0.4)) group.values.push({ type: draws.pick(['AND', 'OR']), values: list(2) })
    return group
  }

  /** An event, any event, or an action. */
  entity(own: object = {}): { readonly type: 'events' | 'actions'; readonly members: object } {
    const { draws, names } = this
    const isAction = draws.chance(0.15)
    const members = {
      id: isAction ? draws.pick(names.actions) : draws.chance(0.1) ? null : this.event(),
      ...draws.some(0.1, { name: () => this.text(), custom_name: () => this.text() }),
      ...draws.some(0.3, { properties: () => this.filters() }),
      ...own,
    }
    return { type: isAction ? 'actions' : 'events', members }
  }

  /** `events` and `actions`, so many together. */
  entities(count: number, own: () => object = () => ({})): object {
    const listed = this.draws
      .times(count, () => this.entity(own()))
      .map(({ type, members }, order) => ({ type, members: { ...members, order } }))
    const of = (wanted: string) => listed.filter(({ type }) => type === wanted).map(({ members }) => members)
    return { events: of('events'), ...(of('actions').length > 0 ? { actions: of('actions') } : {}) }
  }

  breakdown(): object {
    const { draws, names } = this
    const type = draws.pick(['event', 'person', 'session', 'group', 'cohort', 'hogql'] as const)
    const common = { breakdown_type: type, ...draws.some(0.2, { breakdown_limit: () => 2 }) }
    if (type === 'cohort')
      return {
        ...common,
        breakdown: draws.chance(0.5) ? [draws.pick(names.cohorts), 'all'] : [draws.pick(names.cohorts)],
      }
    const key = () => {
      if (type === 'session') return draws.pick(SESSION_PROPERTIES)
      return type === 'hogql' ? this.expression() : this.property()
    }
    const keys = draws.chance(0.75) ? [key()] : draws.times(2, key)
    return {
      ...common,
      breakdown: keys,
      ...(type === 'group' ? { breakdown_group_type_index: this.groupType() } : {}),
      ...(type === 'person' ? { breakdown_as_of: draws.pick(['now', 'event']) } : {}),
      ...(keys.length === 1 && draws.chance(0.15) ? { breakdown_histogram_bin_count: 3 } : {}),
      ...draws.some(0.1, { breakdown_normalize_url: () => true }),
    }
  }

  range(): object {
    return this.draws.pick([
      {},
      { date_from: '-1d' },
      { date_from: '-30d' },
      { date_from: 'all' },
      { date_from: '2026-11-20', date_to: '2026-11-22' },
      { date_from: '2026-11-20T00:00:00Z', date_to: '2026-11-21T22:30:00+02:00' },
    ])
  }

  /** What every insight may be asked with. */
  common(): object {
    return {
      ...this.range(),
      ...this.draws.some(0.4, { properties: () => this.filters() }),
      ...this.draws.some(0.1, {
        filter_test_accounts: () => true,
        sampling_factor: () => 0.5,
        aggregation_group_type_index: () => this.draws.below(2),
      }),
    }
  }
}
