import { ENRICHED_EVENT_FIELDS } from '../../../schemas/enriched-event/v1.ts'
import type { Bindings } from '../query/bindings.ts'
import { jsonPropertySql, type PropertySql, propertySql } from '../query/event-properties.ts'
import { eventViewRowsSql, NOW_CREATED_AT, NOW_PROPERTIES } from '../query/event-view-rows.ts'
import { newestPersonsSql, PERSON_KEY, personIdSql, THEN_PROPERTIES } from '../query/person-rows.ts'
import type { SqlType } from './functions.ts'

/** The dataset that is asked about, and where its values are bound. */
export interface ViewContext {
  readonly dataset: string
  readonly bindings: Bindings
}

export interface ViewField {
  readonly type: SqlType
  readonly description: string
  /** Whether `*` means it too. */
  readonly isCommon: boolean
  /** Over the columns of the view's rows. */
  sql(context: ViewContext): string
}

/** Members of a JSON object as fields: `properties.plan`. */
type Holder = (name: string, placeholder: string) => PropertySql

/** A table of the query language: rows of one dataset, and nothing else. */
export interface View {
  readonly name: string
  readonly description: string
  readonly fields: ReadonlyMap<string, ViewField>
  readonly holders: ReadonlyMap<string, Holder>
  /** @param columns expressions over the rows' columns, each with its alias */
  rowsSql(columns: readonly string[], context: ViewContext): string
}

type Declared = readonly [type: SqlType, sql: string | ViewField['sql'], description: string, rare?: 'rare']

function fieldsOf(declared: Readonly<Record<string, Declared>>): Map<string, ViewField> {
  return new Map(
    Object.entries(declared).map(([name, [type, sql, description, rare]]) => [
      name,
      { type, description, isCommon: rare === undefined, sql: typeof sql === 'string' ? () => sql : sql },
    ]),
  )
}

const own = ({ dataset, bindings }: ViewContext) => `dataset_id = ${bindings.bind(dataset, 'String')}`
const idOf =
  (key: string): ViewField['sql'] =>
  ({ dataset, bindings }) =>
    personIdSql(key, dataset, bindings)
const holderOf =
  (column: string): Holder =>
  (_name, placeholder) =>
    jsonPropertySql(column, placeholder)

/** Columns of the enriched event under their own names, beside those that have another one here. */
const ENRICHED: Readonly<Record<string, Declared>> = Object.fromEntries(
  ENRICHED_EVENT_FIELDS.filter(({ name, type }) => type !== 'json' && name !== 'dataset_id').map(
    ({ name, type, doc }) => [name, [enrichedType(type), name, doc, 'rare'] as const],
  ),
)

function enrichedType(type: string): SqlType {
  if (type === 'text') return 'text'
  return type === 'timestamp' ? 'time' : 'unknown'
}

const EVENTS: View = {
  name: 'events',
  description: 'Events, one row each.',
  fields: fieldsOf({
    ...ENRICHED,
    id: ['text', 'event_id', 'Id of the event.'],
    event: ['text', 'event', 'Its name.'],
    timestamp: ['time', 'event_time', 'When it happened.'],
    distinct_id: ['text', 'distinct_id', 'Who did it, as the client said.'],
    session_id: ['text', 'session_id', 'The session that it belongs to.'],
    properties: [
      'json',
      'properties',
      'The customer’s own properties, a JSON object; `properties.name` is one of them.',
    ],
    uuid: ['text', 'event_id', 'The same as id.', 'rare'],
    created_at: ['time', 'collector_time', 'When it was received.', 'rare'],
    groups: ['json', "ifNull(groups, '')", 'Keys of its groups by type, a JSON object.', 'rare'],
    person_id: ['text', idOf(PERSON_KEY), 'The person that its distinct id belongs to now.', 'rare'],
    'person.id': ['text', idOf(PERSON_KEY), 'The same as person_id.', 'rare'],
    'person.created_at': ['time', NOW_CREATED_AT, 'When the person was first seen.', 'rare'],
    'person.properties': ['json', NOW_PROPERTIES, 'The person’s properties as they are now.', 'rare'],
    person_properties: ['json', THEN_PROPERTIES, 'The person’s properties when the event arrived.', 'rare'],
  }),
  holders: new Map<string, Holder>([
    ['properties', propertySql],
    ['groups', (_name, placeholder) => jsonPropertySql("ifNull(groups, '')", placeholder)],
    ['person.properties', holderOf(NOW_PROPERTIES)],
    ['person_properties', holderOf(THEN_PROPERTIES)],
  ]),
  rowsSql: (columns, { dataset, bindings }) =>
    `SELECT ${columns.join(', ')} FROM (${eventViewRowsSql(dataset, columns, [], bindings)})`,
}

const PERSONS: View = {
  name: 'persons',
  description: 'Persons as they are now, one row each.',
  fields: fieldsOf({
    id: ['text', idOf('newest_key'), 'Id of the person.'],
    created_at: ['time', 'newest_created_at', 'When it was first seen.'],
    properties: [
      'json',
      'newest_properties',
      'Its properties, a JSON object; `properties.name` is one of them.',
    ],
  }),
  holders: new Map([['properties', holderOf('newest_properties')]]),
  rowsSql: (columns, { dataset, bindings }) =>
    `SELECT ${columns.join(', ')} FROM (${newestPersonsSql(dataset, bindings)})`,
}

const PERSON_DISTINCT_IDS: View = {
  name: 'person_distinct_ids',
  description: 'Which person every distinct id belongs to now.',
  fields: fieldsOf({
    distinct_id: ['text', 'distinct_id', 'The distinct id.'],
    person_id: ['text', idOf('owner_key'), 'Its person.'],
  }),
  holders: new Map(),
  rowsSql: (columns, context) =>
    `SELECT ${columns.join(', ')} FROM (SELECT distinct_id, argMax(person_key, version) AS owner_key ` +
    `FROM person_distinct_ids WHERE ${own(context)} GROUP BY distinct_id HAVING argMax(is_deleted, version) = 0)`,
}

const GROUPS: View = {
  name: 'groups',
  description: 'Groups of people as they are now, one row each.',
  fields: fieldsOf({
    index: ['number', 'group_type_index', 'Number of its type.'],
    key: ['text', 'group_key', 'Its key within the type.'],
    created_at: ['time', 'newest_created_at', 'When it was first seen.'],
    properties: [
      'json',
      'newest_properties',
      'Its properties, a JSON object; `properties.name` is one of them.',
    ],
  }),
  holders: new Map([['properties', holderOf('newest_properties')]]),
  rowsSql: (columns, context) =>
    `SELECT ${columns.join(', ')} FROM (SELECT group_type_index, group_key, ` +
    'argMax(properties, version) AS newest_properties, argMax(created_at, version) AS newest_created_at ' +
    `FROM groups WHERE ${own(context)} GROUP BY group_type_index, group_key HAVING argMax(is_deleted, version) = 0)`,
}

const PLACE = '(event_time, src_partition, src_offset)'

const SESSIONS: View = {
  name: 'sessions',
  description: 'Sessions, one row each, made of their events.',
  fields: fieldsOf({
    session_id: ['text', "ifNull(session_id, '')", 'Id of the session.'],
    distinct_id: ['text', `argMin(distinct_id, ${PLACE})`, 'Who began it.'],
    start_timestamp: ['time', 'min(event_time)', 'Its first event.'],
    end_timestamp: ['time', 'max(event_time)', 'Its last event.'],
    duration: [
      'number',
      '(toUnixTimestamp64Milli(max(event_time)) - toUnixTimestamp64Milli(min(event_time))) / 1000',
      'Seconds between the two.',
    ],
    event_count: ['number', 'count()', 'Its events.'],
    pageview_count: ['number', "countIf(event IN ('$pageview', 'page_view'))", 'Its page views.'],
    autocapture_count: ['number', "countIf(event = '$autocapture')", 'Its clicks.'],
    entry_url: ['text', `argMin(url, ${PLACE})`, 'Address of its first event that has one.'],
    exit_url: ['text', `argMax(url, ${PLACE})`, 'Address of its last event that has one.'],
    referrer_host: ['text', `argMin(referrer_host, ${PLACE})`, 'Where it came from.'],
    channel_type: ['text', `argMin(referrer_category, ${PLACE})`, 'Kind of place that it came from.'],
    utm_source: ['text', `argMin(utm_source, ${PLACE})`, 'Of its first event that has one.'],
    utm_medium: ['text', `argMin(utm_medium, ${PLACE})`, 'Of its first event that has one.'],
    utm_campaign: ['text', `argMin(utm_campaign, ${PLACE})`, 'Of its first event that has one.'],
  }),
  holders: new Map(),
  rowsSql: (columns, context) =>
    `SELECT ${columns.join(', ')} FROM events WHERE ${own(context)} AND ifNull(session_id, '') != '' GROUP BY session_id`,
}

/** Every table of the query language. What is not here cannot be read. */
export const VIEWS: ReadonlyMap<string, View> = new Map(
  [EVENTS, PERSONS, PERSON_DISTINCT_IDS, GROUPS, SESSIONS].map((view) => [view.name, view]),
)
export const EVENTS_VIEW = EVENTS

/** Tables of the store that views, filters by cohorts and warnings read: every one of them has the column `dataset_id`. */
export const STORED_TABLES = [
  'events',
  'persons',
  'person_changes',
  'person_overrides',
  'person_override_changes',
  'person_distinct_ids',
  'groups',
  'group_types',
  'cohort_members',
  'recording_chunks',
  'recording_deletions',
  'rejected_events',
] as const
