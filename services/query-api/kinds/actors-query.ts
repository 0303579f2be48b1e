import { invalidInput } from '../http/api-error.ts'
import { leavingOut, type RawQuery } from '../http/request-parameters.ts'
import { retentionPeople } from '../insights/activity-people.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import { type GroupRow, type PersonRow, peopleOf } from '../insights/people.ts'
import { PEOPLE } from '../insights/people-kinds.ts'
import type { PeoplePage } from '../insights/people-request.ts'
import type { Question } from '../query/question.ts'
import { readActorsPage } from './actors-page.ts'
import { CORRELATION, correlationParameters } from './correlation-query.ts'
import { insightNode, rawQuery } from './insight-kinds.ts'
import { personsQuery } from './persons-query.ts'
import { type Node, nodeOf, refuseMembers, UNUSED_MEMBERS } from './query-nodes.ts'
import type { RunKind } from './run-query.ts'
import { type Column, readSelect } from './selected-columns.ts'

interface Actor {
  readonly actor: PersonRow | GroupRow
  /** Of a retention: 1 for every number of periods after which the actor came back. */
  readonly appearances: readonly number[]
}

const WHOLE: Column<Actor> = { type: 'Actor', of: ({ actor }) => actor }
const VALUE: Column<Actor> = { type: 'Float64', of: ({ actor }) => actor.value_at_data_point }

const COLUMNS = {
  actor: WHOLE,
  person: WHOLE,
  group: WHOLE,
  id: { type: 'String', of: ({ actor }) => actor.id },
  name: {
    type: 'Nullable(String)',
    of: ({ actor }) => (actor.type === 'person' ? actor.name : actor.group_key),
  },
  created_at: { type: 'Nullable(String)', of: ({ actor }) => actor.created_at },
  properties: { type: 'JSON', of: ({ actor }) => actor.properties },
  distinct_ids: {
    type: 'Array(String)',
    of: ({ actor }) => (actor.type === 'person' ? actor.distinct_ids : []),
  },
  event_count: VALUE,
  value: VALUE,
} satisfies Readonly<Record<string, Column<Actor>>>
const OF_RETENTION = {
  ...COLUMNS,
  appearances: { type: 'Array(UInt8)', of: ({ appearances }) => appearances },
} satisfies Readonly<Record<string, Column<Actor>>>

/** Members of a source that tell a number of its insight apart, as parameters of its people. */
const SELECTORS: Readonly<Record<string, string>> = {
  series: 'entity_order',
  day: 'point',
  interval: 'selected_interval',
  compare: 'compare_label',
  breakdown: 'breakdown_value',
  status: 'lifecycle_type',
  funnelStep: 'funnel_step',
  funnelCustomSteps: 'funnel_custom_steps',
  funnelStepBreakdown: 'breakdown_value',
  funnelTrendsDropOff: 'drop_off',
  funnelTrendsEntrancePeriodStart: 'entrance_period_start',
  binStart: 'bin_start',
  stickinessDays: 'stickiness_days',
  pathStartKey: 'path_start_key',
  pathEndKey: 'path_end_key',
  pathDropoffKey: 'path_dropoff_key',
  funnelCorrelationEvent: 'funnel_correlation_event',
  funnelCorrelationPersonConverted: 'funnel_correlation_person_converted',
}
const CORRELATION_SOURCE = 'FunnelCorrelationActorsQuery'
/** Queries that name a number of an insight, whose people they are. */
export const ACTOR_SOURCES = [
  'InsightActorsQuery',
  'FunnelsActorsQuery',
  'StickinessActorsQuery',
  CORRELATION_SOURCE,
] as const
const PAGE_MEMBERS = ['select', 'limit', 'offset'] as const

/**
 * The people behind a number of an insight, those who add most to it first; of a retention the most faithful. Without a
 * source all persons there are.
 */
export const actorsQuery: RunKind = async (needs, call, node) => {
  if (node.source === undefined || node.source === null) return personsQuery(needs, call, node)
  return actorsOfSource(needs, call.question, node, readActors(node))
}

/** A source alone: what an ActorsQuery around it answers. */
export const sourceQuery: RunKind = async (needs, { question }, node) =>
  actorsOfSource(needs, question, node, readSource(leavingOut(node, PAGE_MEMBERS), 'query'))

/** Parameters of the people of an insight, and the last part of their path; `retention` is none of {@link PEOPLE}. */
export interface AskedActors {
  readonly kind: keyof typeof PEOPLE | 'retention'
  readonly parameters: RawQuery
}

/** An ActorsQuery with a source, or a source alone. @throws ApiError 400 */
export function readActors(node: Node): AskedActors {
  if (node.kind !== 'ActorsQuery') return readSource(leavingOut(node, PAGE_MEMBERS), 'query')
  refuseMembers(node, [...UNUSED_MEMBERS, 'source', ...PAGE_MEMBERS], 'query')
  return readSource(nodeOf(node.source, 'query__source'), 'query__source')
}

async function actorsOfSource(needs: InsightNeeds, question: Question, node: Node, asked: AskedActors) {
  const page = readActorsPage(node)
  const { columns, types, results } =
    asked.kind === 'retention'
      ? readSelect(node, 'the actors of a retention', OF_RETENTION, ['actor', 'appearances'])
      : readSelect(node, 'actors', COLUMNS, ['actor', 'created_at', 'event_count'])
  const { actors, ...found } = await actorsOf(needs, question, asked, page)
  return { results: results(actors), columns, types, ...page, ...found }
}

/** A page of them, with what is known of all of them. */
async function actorsOf(
  needs: InsightNeeds,
  question: Question,
  { kind, parameters: query }: AskedActors,
  page: PeoplePage,
) {
  if (kind === 'retention') {
    const { people, isLast } = await retentionPeople(needs, question, query, page)
    const actors = people.map(({ person, appearances }): Actor => ({ actor: person, appearances }))
    return { actors, hasMore: !isLast }
  }
  const { sql, groupTypeIndex } = await PEOPLE[kind].behind(needs, question, query)
  const found = await peopleOf(needs.ask, question, sql, page, groupTypeIndex)
  return {
    actors: found.people.map((actor): Actor => ({ actor, appearances: [] })),
    hasMore: !found.isLast,
    count: found.count,
    missing_actors_count: found.missing,
  }
}

/** @param attr where it stands */
function readSource(source: Node, attr: string): AskedActors {
  if (!(ACTOR_SOURCES as readonly unknown[]).includes(source.kind))
    throw invalidInput(`${attr}__kind`, `A source is one of ${ACTOR_SOURCES.join(', ')}.`)
  const selectors = leavingOut(source, [...UNUSED_MEMBERS, 'source'])
  refuseMembers(selectors, Object.keys(SELECTORS), attr)
  const inner = nodeOf(source.source, `${attr}__source`)
  const { people, parameters } =
    source.kind === CORRELATION_SOURCE
      ? { people: CORRELATION.people, parameters: correlationParameters(inner) }
      : peopleOfInsight(inner)
  const own = Object.entries(selectors).flatMap(([member, value]) => {
    if (value === null || value === undefined) return []
    if (member === 'day' && people === 'lifecycle') return [['target_date', value] as const]
    if (member === 'day' && people === 'stickiness') return [['stickiness_days', value] as const]
    return [[SELECTORS[member] as string, value] as const]
  })
  return { kind: people, parameters: rawQuery({ ...parameters, ...Object.fromEntries(own) }) }
}

function peopleOfInsight(node: Node) {
  const { kind, parameters } = insightNode(node)
  return { people: kind.people, parameters }
}
