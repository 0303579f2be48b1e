import { Draws } from './draws.ts'
import { OWN_SESSIONS, RandomFilters, type RequestNames } from './random-filters.ts'
import { INSIGHT_PATHS, type InsightPath, PEOPLE_PATHS, RandomInsights } from './random-insights.ts'
import { RandomSql } from './random-sql.ts'

/** Requests whose statements are read; `make test-long` takes 100,000. */
export const REQUESTS = Number(process.env.MILLRACE_TEST_QUERIES ?? 2_000)
/** Those of them that run on the engine, where one takes twenty times as long and more. */
export const REQUESTS_RUN = Number(
  process.env.MILLRACE_TEST_EXECUTED ?? Math.max(120, Math.ceil(REQUESTS * 0.04)),
)
/** Requests that are made with hostile names and values, and with plain ones. */
export const HOSTILE_REQUESTS = Math.min(10_000, Math.ceil(REQUESTS / 4))
/** Those of them whose statements the engine reads, too. */
export const HOSTILE_EXPLAINED = HOSTILE_REQUESTS < 10_000 ? 60 : HOSTILE_REQUESTS

/** One call about a dataset. */
export interface RandomRequest {
  readonly method: 'GET' | 'POST'
  /** Below the dataset, with its parameters. */
  readonly url: string
  readonly body?: object
  /** Whose it is, for whoever counts. */
  readonly family: string
}

/** Names that the asking dataset does not have, and another one does. */
export const FOREIGN = ['blogevent', 'bloguser', 'blogsession', 'bloggroup', 'blogproperty', 'blog'] as const

type Parameters = Readonly<Record<string, unknown>>

/**
 * Requests of every family that reads, most of them such that they are answered.
 *
 * @param seed the same one makes the same request
 */
export function randomRequest(seed: number, names: RequestNames): RandomRequest {
  return new RandomRequests(new RandomFilters(new Draws(seed), names)).request()
}

class RandomRequests {
  readonly #draws: Draws
  readonly #filters: RandomFilters
  readonly #insights: RandomInsights

  constructor(filters: RandomFilters) {
    this.#draws = filters.draws
    this.#filters = filters
    this.#insights = new RandomInsights(filters)
  }

  request(): RandomRequest {
    return this.#draws.pick([
      () => this.#events(),
      () => this.#selected(),
      () => this.#insight(),
      () => this.#insight(),
      () => this.#insight(),
      () => this.#people(),
      () => this.#people(),
      () => this.#query(),
      () => this.#query(),
      () => this.#recordings(),
      () => this.#persons(),
      () => this.#cohorts(),
      () => this.#lists(),
    ])()
  }

  #get(path: string, parameters: Parameters, family = path): RandomRequest {
    return { method: 'GET', url: withParameters(path, parameters), family }
  }

  /** By GET or by POST, which ask the same. */
  #asked(path: string, parameters: Parameters, family = path): RandomRequest {
    return this.#draws.chance(0.5)
      ? this.#get(path, parameters, family)
      : { method: 'POST', url: path, body: parameters, family }
  }

  #page(): Parameters {
    return this.#draws.some(0.2, { limit: () => 2, offset: () => 1 })
  }

  #selection(): Parameters {
    const filters = this.#filters
    return {
      ...this.#draws.some(0.3, {
        event: filters.event,
        after: () => '2026-11-20',
        properties: () => filters.filters(),
      }),
      ...this.#draws.some(0.15, {
        distinct_id: filters.distinctId,
        person_id: filters.person,
        before: () => '2026-11-22T11:59:00Z',
        maskPii: () => true,
      }),
    }
  }

  #events(): RandomRequest {
    const draws = this.#draws
    const file = draws.some(0.2, { limit: () => 'all', format: () => draws.pick(['csv', 'json']) })
    const where = draws.some(0.3, { where: () => [this.#filters.condition()] })
    const order = draws.some(0.3, { orderBy: () => draws.pick(['timestamp', '-timestamp']) })
    const cursor = draws.some(0.2, { cursor: () => cursorOf('1763800000000.0.5') })
    const asked = {
      ...this.#selection(),
      ...where,
      ...order,
      ...file,
      ...(file.limit === 'all' ? {} : cursor),
    }
    return this.#get(draws.pick(['events', 'events.csv']), asked, 'events')
  }

  #expressions(): string[] {
    const draws = this.#draws
    const items = draws.times(1 + draws.below(2), () => this.#filters.expression())
    return [...items, ...draws.pick([['count()'], ['*'], ['person'], ['event AS e'], []])]
  }

  #selected(): RandomRequest {
    const draws = this.#draws
    const asked = {
      ...this.#selection(),
      select: this.#expressions(),
      ...draws.some(0.4, { where: () => [this.#filters.condition()] }),
      ...draws.some(0.2, { orderBy: () => [this.#filters.expression()] }),
      ...this.#page(),
    }
    return this.#get(draws.pick(['events', 'events.csv']), asked, 'events?select')
  }

  #insight(): RandomRequest {
    const draws = this.#draws
    const path = draws.pick([...INSIGHT_PATHS, 'funnel/correlation'] as const)
    const asked =
      path === 'funnel/correlation' ? this.#insights.correlation() : this.#insights.parameters(path)
    const file = draws.chance(0.15) ? '.csv' : ''
    return this.#asked(`insights/${path}${file}`, asked, `insights/${path}`)
  }

  #people(): RandomRequest {
    const path = this.#draws.pick(INSIGHT_PATHS)
    return this.#asked(`persons/${PEOPLE_PATHS[path]}`, this.#insights.people(path))
  }

  #query(): RandomRequest {
    const query = this.#node()
    const family = `query ${query.kind}`
    return this.#draws.chance(0.3)
      ? this.#get('query', { query }, family)
      : { method: 'POST', url: 'query', body: { query }, family }
  }

  #node(): { readonly kind: string } & Parameters {
    const draws = this.#draws
    const filters = this.#filters
    const page = this.#page()
    const sql = () => new RandomSql(draws.seed(), filters.names.texts).query()
    const insight = () => insightNode(draws.pick(INSIGHT_PATHS), (path) => this.#insights.parameters(path))
    return draws.pick([
      () => ({ kind: draws.pick(['SQLQuery', 'HogQLQuery']), query: sql() }),
      () => ({ kind: 'SQLQuery', query: sql() }),
      () => ({ kind: 'SQLMetadata', query: sql() }),
      () => ({ kind: 'EventsQuery', select: this.#expressions(), ...this.#eventsNode(), ...page }),
      insight,
      insight,
      () => ({ kind: 'ActorsQuery', source: this.#source(), ...page }),
      () => ({
        kind: 'FunnelCorrelationQuery',
        source: insightNode('funnel', () => ({ ...filters.entities(2), ...filters.common() })),
        funnelCorrelationType: 'events',
        funnelCorrelationExcludeEventNames: [filters.event()],
      }),
      () => ({
        kind: 'GroupsQuery',
        group_type_index: filters.groupType(),
        ...draws.some(0.5, { search: filters.group }),
        ...page,
      }),
      () => ({ kind: 'RecordingsQuery', ...this.#recordingFilters(), ...page }),
      () => ({ kind: 'DatabaseSchemaQuery' }),
    ])()
  }

  #eventsNode(): Parameters {
    const filters = this.#filters
    return this.#draws.some(0.3, {
      where: () => [filters.condition()],
      orderBy: () => [filters.expression()],
      event: filters.event,
      personId: filters.person,
      distinctId: filters.distinctId,
      properties: () => filters.filters(),
      after: () => '-2d',
      before: () => '2026-11-22T11:59:00Z',
    })
  }

  #source(): Parameters {
    const source = (path: InsightPath) => insightNode(path, (own) => this.#withoutLines(own))
    return this.#draws.pick([
      () => ({ kind: 'InsightActorsQuery', source: source('trend'), day: '2026-11-21' }),
      () => ({ kind: 'InsightActorsQuery', source: source('lifecycle'), day: '2026-11-21', status: 'new' }),
      () => ({ kind: 'InsightActorsQuery', source: source('retention'), interval: 0 }),
      () => ({ kind: 'InsightActorsQuery', source: source('timing') }),
      () => ({
        kind: 'InsightActorsQuery',
        source: source('path'),
        pathStartKey: `1_${this.#filters.event()}`,
      }),
      () => ({ kind: 'FunnelsActorsQuery', source: source('funnel'), funnelStep: 2 }),
      () => ({ kind: 'StickinessActorsQuery', source: source('stickiness'), day: 1 }),
    ])()
  }

  /** Nobody is asked which line of it. */
  #withoutLines(path: InsightPath): Parameters {
    return withoutBreakdown({ ...this.#insights.parameters(path), funnel_aggregate_by_hogql: undefined })
  }

  #recordingFilters(): Parameters {
    const draws = this.#draws
    const filters = this.#filters
    const length = () => ({
      key: draws.pick(['duration', 'active_seconds']),
      operator: draws.pick(['gt', 'gte', 'lt', 'lte', 'exact']),
      value: draws.below(90),
    })
    return {
      ...filters.range(),
      ...(draws.chance(0.3) ? filters.entities(1 + draws.below(2)) : {}),
      ...draws.some(0.3, {
        session_ids: () => draws.times(1 + draws.below(3), filters.session),
        properties: () => filters.filters(),
        session_recording_duration: length,
        console_logs: () => draws.pick([['error'], ['log', 'warn'], []]),
      }),
      ...draws.some(0.15, { person_uuid: filters.person }),
    }
  }

  #recordings(): RandomRequest {
    const draws = this.#draws
    const sessions = draws.times(1 + draws.below(3), this.#filters.session)
    const id = encodeURIComponent(draws.chance(0.8) ? draws.pick(OWN_SESSIONS) : this.#filters.text())
    const list = () => this.#get('session_recordings', { ...this.#recordingFilters(), ...this.#page() })
    return draws.pick([
      list,
      list,
      () => this.#get('session_recordings/properties', { session_ids: sessions }),
      () => this.#get(`session_recordings/${id}`, {}, 'session_recordings/:id'),
      () => {
        const block = { source: 'blob', blob_key: this.#filters.text() }
        const asked = draws.pick([{}, { limit: 1, offset: 1 }, { version: '2' }, block])
        return this.#get(`session_recordings/${id}/snapshots`, asked, 'session_recordings/:id/snapshots')
      },
    ])()
  }

  #personId(): string {
    const draws = this.#draws
    const id = draws.chance(0.9)
      ? draws.pick(['u0', 'u2', ...this.#filters.names.persons.slice(0, 1)])
      : this.#filters.text()
    return encodeURIComponent(id)
  }

  #persons(): RandomRequest {
    const draws = this.#draws
    const filters = this.#filters
    const list = () => {
      const isAll = draws.chance(0.15)
      const page = isAll ? { limit: 'all' } : this.#page()
      const cursor =
        isAll || 'offset' in page ? {} : draws.some(0.2, { cursor: () => cursorOf('[1763800000000,"u0"]') })
      const asked = {
        ...draws.some(0.25, {
          distinct_id: filters.distinctId,
          email: filters.value,
          search: filters.distinctId,
          include_total: () => true,
          cohort: () => draws.pick(filters.names.cohorts),
        }),
        ...draws.some(0.5, { properties: () => filters.filters(['person', 'cohort']) }),
        ...page,
        ...cursor,
      }
      return this.#get(draws.pick(['persons', 'persons.csv']), asked, 'persons')
    }
    return draws.pick([
      list,
      list,
      list,
      () => this.#get('persons/values', this.#valuesAsked()),
      () => this.#get(`persons/${this.#personId()}`, {}, 'persons/:id'),
      () => this.#get('persons/activity', this.#draws.some(0.3, { activity: () => 'set', limit: () => 3 })),
      () => this.#get(`persons/${this.#personId()}/activity`, {}, 'persons/:id/activity'),
      () => {
        const asked = {
          ...filters.range(),
          ...draws.some(0.4, { event: filters.event, breakdown: filters.property }),
        }
        return this.#get(
          `persons/${this.#personId()}/properties_timeline`,
          asked,
          'persons/:id/properties_timeline',
        )
      },
    ])()
  }

  #valuesAsked(): Parameters {
    return { key: this.#filters.property(), ...this.#draws.some(0.4, { value: this.#filters.value }) }
  }

  #cohorts(): RandomRequest {
    const draws = this.#draws
    const id = draws.pick(this.#filters.names.cohorts)
    const who = draws.pick([{ distinct_id: 'u0' }, { distinct_id: this.#filters.distinctId() }])
    return draws.pick([
      () => this.#get(`cohorts/${id}/persons`, this.#page(), 'cohorts/:id/persons'),
      () => this.#get(`cohorts/${id}/persons.csv`, {}, 'cohorts/:id/persons'),
      () => this.#get(`cohorts/${id}/history`, draws.chance(0.5) ? who : {}, 'cohorts/:id/history'),
      () => this.#get('persons/cohorts', who),
    ])()
  }

  /** Values, definitions, groups, traces, and what was saved. */
  #lists(): RandomRequest {
    const draws = this.#draws
    const filters = this.#filters
    const { actions, insights } = filters.names
    const index = filters.groupType()
    const ordering = draws.some(0.3, { ordering: () => draws.pick(['-volume', 'name', 'last_seen_at']) })
    const found = { ...draws.some(0.4, { search: filters.property }), ...ordering, ...this.#page() }
    const owner = draws.pick([{}, { type: 'person' }, { type: 'group', group_type_index: index }])
    return draws.pick([
      () => {
        const events = draws.some(0.3, { event_name: () => draws.times(2, filters.event) })
        const key = draws.chance(0.2) ? { key: 'custom_event' } : {}
        return this.#get('events/values', { ...this.#valuesAsked(), ...key, ...events })
      },
      () => this.#get('event_definitions', found),
      () => {
        const flags = draws.some(0.3, {
          event_names: () => [filters.event()],
          filter_by_event_names: () => true,
          is_numerical: () => true,
          excluded_properties: () => [filters.property(), 'x'],
        })
        return this.#get('property_definitions', { ...owner, ...found, ...flags })
      },
      () => {
        const asked = { event_names: draws.times(2, filters.event), property_name: filters.property() }
        return this.#get('property_definitions/seen_together', asked)
      },
      () => this.#get('groups_types', {}),
      () => this.#get('ingestion_warnings', draws.some(0.3, { maskPii: () => true })),
      () =>
        this.#get('groups', {
          group_type_index: index,
          ...draws.some(0.4, { search: filters.group, limit: () => 1 }),
        }),
      () =>
        this.#get('groups/find', {
          group_type_index: draws.chance(0.7) ? 0 : index,
          group_key: filters.group(),
        }),
      () =>
        this.#get(
          'groups/related',
          draws.chance(0.5) ? { group_type_index: index, id: filters.group() } : { id: 'u0' },
        ),
      () => this.#get('groups/property_values', { group_type_index: index, ...this.#valuesAsked() }),
      () => this.#get('groups/property_definitions', {}),
      () => {
        const id = draws.chance(0.8) ? `free ${draws.below(20)}` : filters.text()
        return this.#get(`trace/${encodeURIComponent(id)}`, {}, 'trace/:event')
      },
      () => {
        const id = draws.chance(0.8) ? `free ${draws.below(20)}` : filters.text()
        return this.#get(`events/${encodeURIComponent(id)}`, {}, 'events/:event')
      },
      () => this.#get(`actions/${draws.pick(actions)}/count`, {}, 'actions/:id/count'),
      () => this.#get(`insights/${draws.pick(insights)}`, { refresh: 'force_blocking' }, 'insights/:id'),
    ])()
  }
}

/** Texts as they are, everything else as JSON; what is undefined is not sent. */
function withParameters(path: string, parameters: Parameters): string {
  const sent = Object.entries(parameters).flatMap(([name, value]) => {
    if (value === undefined) return []
    return [`${name}=${encodeURIComponent(typeof value === 'string' ? value : JSON.stringify(value))}`]
  })
  return sent.length === 0 ? path : `${path}?${sent.join('&')}`
}

const cursorOf = (text: string) => Buffer.from(text).toString('base64url')

const NODES = {
  trend: ['TrendsQuery', 'trendsFilter'],
  funnel: ['FunnelsQuery', 'funnelsFilter'],
  retention: ['RetentionQuery', 'retentionFilter'],
  stickiness: ['StickinessQuery', 'stickinessFilter'],
  lifecycle: ['LifecycleQuery', 'lifecycleFilter'],
  path: ['PathsQuery', 'pathsFilter'],
  timing: ['TimingQuery', 'timingFilter'],
} as const satisfies Readonly<Record<InsightPath, readonly [string, string]>>

const isOfBreakdown = (name: string) =>
  name.startsWith('breakdown') && !name.startsWith('breakdown_attribution')

function withoutBreakdown(parameters: Parameters): Parameters {
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => !isOfBreakdown(name)))
}

/** The same question as a query. */
function insightNode(
  path: InsightPath,
  parametersOf: (path: InsightPath) => Parameters,
): { readonly kind: string } & Parameters {
  const [kind, filter] = NODES[path]
  const {
    events = [],
    actions = [],
    date_from,
    date_to,
    properties,
    filter_test_accounts: filterTestAccounts,
    sampling_factor: samplingFactor,
    aggregation_group_type_index,
    interval,
    compare,
    exclusions: _,
    funnel_paths: __,
    funnel_filter: ___,
    ...own
  } = parametersOf(path)
  const isOfSeries = !['retention', 'path', 'timing'].includes(path)
  const nodes = (list: unknown, node: string) =>
    (list as Parameters[]).map(({ id, order: _, ...one }) => ({
      kind: node,
      ...(node === 'EventsNode' ? { event: id } : { id }),
      ...one,
    }))
  const breakdown = Object.entries(own).filter(([name]) => isOfBreakdown(name))
  return {
    kind,
    ...(isOfSeries ? { series: [...nodes(events, 'EventsNode'), ...nodes(actions, 'ActionsNode')] } : {}),
    dateRange: { date_from, date_to },
    properties,
    filterTestAccounts,
    samplingFactor,
    aggregation_group_type_index,
    interval,
    ...(breakdown.length > 0 ? { breakdownFilter: Object.fromEntries(breakdown) } : {}),
    ...(compare === undefined ? {} : { compareFilter: { compare } }),
    [filter]: withoutBreakdown(own),
  }
}
