import { Type } from '@sinclair/typebox'
import { PAGE_SIZES } from '../http/list-page.ts'
import { flagDeclared, textDeclared } from '../http/parameter-declarations.ts'
import type { ObjectFamily } from '../objects/object-family.ts'
import { SHARED_VIEW, sharedView } from '../objects/object-view.ts'
import { QueryStatusView } from '../results/query-status.ts'
import type { SavedInsight } from './saved-insight-store.ts'
import { questionColumns } from './saved-question.ts'
import { NO_SAVED_RESULT } from './saved-result.ts'

const LENGTHS = { name: 400, description: 1_000, tag: 255 } as const
export const TAGS_MAX = 50
/** Dashboards that one insight is on. */
const DASHBOARDS_MAX = 100

export const TAGS = Type.Array(Type.String({ minLength: 1, maxLength: LENGTHS.tag }), { maxItems: TAGS_MAX })
export const DESCRIPTION = Type.String({ maxLength: LENGTHS.description })
const Name = Type.String({ maxLength: LENGTHS.name })
const ObjectNumber = Type.Integer({ minimum: 1, maximum: 999_999_999_999_999 })
const Dashboards = Type.Array(ObjectNumber, {
  maxItems: DASHBOARDS_MAX,
  uniqueItems: true,
  description: 'Numbers of the dashboards that it is on.',
})
const FiltersSchema = Type.Object(
  {},
  {
    additionalProperties: true,
    description:
      'What is asked: the parameters of an insight, lists and objects as they are, and `insight`, its kind: ' +
      'TRENDS (when left out), FUNNELS, RETENTION, PATHS, STICKINESS, LIFECYCLE or TIMING.',
  },
)
/** Instead of filters, or null. */
export const QuerySchema = Type.Union(
  [Type.Object({ kind: Type.String() }, { additionalProperties: true }), Type.Null()],
  {
    description:
      'What is asked instead of `filters`: a query as POST query takes it, of an insight (TrendsQuery, …), SQLQuery or ' +
      'EventsQuery. Whoever saves one of the last two needs query:read as well.',
  },
)

const Fields = Type.Object(
  {
    name: Type.Optional(Name),
    description: Type.Optional(DESCRIPTION),
    filters: Type.Optional(FiltersSchema),
    query: Type.Optional(QuerySchema),
    tags: Type.Optional(TAGS),
    favorited: Type.Optional(Type.Boolean()),
    saved: Type.Optional(Type.Boolean({ description: 'Whether somebody wants to find it again.' })),
    dashboards: Type.Optional(Dashboards),
  },
  { additionalProperties: false },
)

const TextOrNull = Type.Union([Type.String(), Type.Null()])
const RESULT_VIEW = {
  result: Type.Unknown({
    description: 'As the insight answers it; null in lists, and until it is computed.',
  }),
  is_cached: Type.Boolean(),
  columns: Type.Union([Type.Array(Type.String()), Type.Null()], {
    description: 'Of rows that are the result of an SQLQuery or EventsQuery; else null, as are the next two.',
  }),
  types: Type.Union([Type.Array(Type.String()), Type.Null()]),
  hasMore: Type.Union([Type.Boolean(), Type.Null()]),
  last_refresh: TextOrNull,
  next_allowed_client_refresh: TextOrNull,
  query_status: Type.Union([QueryStatusView, Type.Null()]),
}

export const SavedInsightView = Type.Object({
  id: Type.Integer(),
  short_id: Type.String(),
  name: Type.String(),
  description: DESCRIPTION,
  filters: FiltersSchema,
  query: QuerySchema,
  dashboards: Dashboards,
  tags: TAGS,
  favorited: Type.Boolean(),
  saved: Type.Boolean(),
  last_modified_at: Type.String(),
  last_modified_by: Type.String(),
  timezone: Type.String(),
  ...RESULT_VIEW,
  ...SHARED_VIEW,
})

const FILTERS_EXAMPLE = { insight: 'TRENDS', events: [{ id: 'purchase', math: 'dau' }], date_from: '-30d' }

/** Questions that were saved, by name. */
export const savedInsightFamily: ObjectFamily<typeof Fields, SavedInsight> = {
  object: 'insight',
  tag: 'insights',
  fields: Fields,
  absent: {
    name: '',
    description: '',
    filters: {},
    query: null,
    tags: [],
    favorited: false,
    saved: false,
    dashboards: [],
  },
  view: SavedInsightView,
  pages: PAGE_SIZES,
  filters: {
    saved: flagDeclared('`true`: only those that somebody wants to find again, or that are on a dashboard.'),
    favorited: flagDeclared('`true`: only those that are.'),
    user: flagDeclared('`true`: only those that this key made.'),
    created_by: textDeclared('Only those that this key made: `personal_api_key:<id>`.'),
    search: textDeclared('Only those whose name, description or tags hold this text.'),
    insight: textDeclared('Only those of this kind: as `filters` name it, SQL or EVENTS.'),
    short_id: textDeclared('Only the one with this id.'),
    dashboards: textDeclared(
      'Only those on all of these dashboards: numbers, separated by commas or as JSON.',
    ),
    date_from: textDeclared('Only those that were changed since: a date, a time, `-7d`, …'),
    date_to: textDeclared('Only those that were changed until then.'),
  },
  unique: null,
  example: {
    fields: { name: 'Buyers', filters: FILTERS_EXAMPLE, saved: true, tags: ['revenue'] },
    view: {
      id: 1,
      short_id: 'k3JdQz7P',
      name: 'Buyers',
      description: '',
      filters: FILTERS_EXAMPLE,
      query: null,
      dashboards: [],
      tags: ['revenue'],
      favorited: false,
      saved: true,
      last_modified_at: '2026-11-28T09:00:00.000Z',
      last_modified_by: 'personal_api_key:5f0c1a9be2d34c7788aa0b1c',
      timezone: 'Europe/Berlin',
      ...NO_SAVED_RESULT,
      created_by: 'personal_api_key:5f0c1a9be2d34c7788aa0b1c',
      created_at: '2026-11-28T09:00:00.000Z',
      updated_at: '2026-11-28T09:00:00.000Z',
      deleted: false,
    },
  },
  columnsOf: ({ filters, query, tags, favorited, saved, dashboards, ...others }) => ({
    ...others,
    ...(filters === undefined && query === undefined ? {} : questionColumns({ filters, query })),
    ...(tags === undefined ? {} : { tags: JSON.stringify([...new Set(tags)]) }),
    ...(favorited === undefined ? {} : { favorited: +favorited }),
    ...(saved === undefined ? {} : { saved: +saved }),
    ...(dashboards === undefined ? {} : { dashboards }),
  }),
  present: (row) => ({
    id: row.id,
    short_id: row.short_id,
    name: row.name,
    description: row.description,
    filters: JSON.parse(row.filters),
    query: row.query === null ? null : JSON.parse(row.query),
    dashboards: row.dashboards,
    tags: JSON.parse(row.tags),
    favorited: row.favorited === 1,
    saved: row.saved === 1,
    last_modified_at: new Date(row.updated_at).toISOString(),
    last_modified_by: row.last_modified_by,
    timezone: row.timezone,
    ...NO_SAVED_RESULT,
    ...sharedView(row),
  }),
}
