import { type Static, Type } from '@sinclair/typebox'
import { invalidInput } from '../http/api-error.ts'
import { PAGE_SIZES } from '../http/list-page.ts'
import { flagDeclared, textDeclared } from '../http/parameter-declarations.ts'
import type { ObjectFamily } from '../objects/object-family.ts'
import { SHARED_VIEW, sharedView } from '../objects/object-view.ts'
import {
  DESCRIPTION,
  SavedInsightView,
  savedInsightFamily,
  TAGS,
} from '../saved-insights/saved-insight-family.ts'
import { builtInTemplates } from './built-in-templates.ts'
import type { Dashboard, Tile } from './dashboard-store.ts'
import {
  Color,
  checkDashboardFilters,
  checkLayouts,
  DashboardFilters,
  LayoutsSchema,
  Name,
  TextBody,
} from './dashboard-template.ts'
import type { Making } from './furnish-store.ts'
import { TILES_MAX } from './tile-store.ts'

export const ObjectNumber = Type.Integer({ minimum: 1, maximum: 999_999_999_999_999 })
const Restriction = Type.Union([Type.Literal(21), Type.Literal(37)], {
  description:
    '21 for everybody, 37 for those who work on it: kept for clients; keys decide who may change it.',
})

const Fields = Type.Object(
  {
    name: Type.Optional(Name),
    description: Type.Optional(DESCRIPTION),
    pinned: Type.Optional(Type.Boolean()),
    tags: Type.Optional(TAGS),
    filters: Type.Optional(DashboardFilters),
    restriction_level: Type.Optional(Restriction),
  },
  { additionalProperties: false },
)

const OnlyPosted = Type.Object({
  use_template: Type.Optional(
    Type.Union([Type.String(), ObjectNumber], {
      description:
        'Of dashboard_templates: the name of one that comes with the product, or the number of an own one.',
    }),
  ),
  use_dashboard: Type.Optional({
    ...ObjectNumber,
    description: 'Number of a dashboard whose tiles it begins with.',
  }),
  duplicate_tiles: Type.Optional(
    Type.Boolean({ description: 'With use_dashboard: copies of its insights, instead of the same ones.' }),
  ),
})

const TileChangeSchema = Type.Object(
  {
    id: Type.Optional({ ...ObjectNumber, description: 'Of a tile that is there; left out for a new one.' }),
    insight: Type.Optional({ ...ObjectNumber, description: 'Of a new tile: number of a saved insight.' }),
    text: Type.Optional(TextBody),
    layouts: Type.Optional(LayoutsSchema),
    color: Type.Optional(Color),
    deleted: Type.Optional(Type.Boolean({ description: '`true` takes the tile away, not its insight.' })),
  },
  { additionalProperties: false },
)

const OnlyPatched = Type.Object({
  tiles: Type.Optional(Type.Array(TileChangeSchema, { maxItems: TILES_MAX })),
  delete_insights: Type.Optional(
    Type.Boolean({
      description: 'With `deleted`: deletes its insights too, but those on another dashboard.',
    }),
  ),
})

const TextOrNull = Type.Union([Type.String(), Type.Null()])
export const TileView = Type.Object({
  id: Type.Integer(),
  layouts: LayoutsSchema,
  color: Color,
  text: Type.Union([TextBody, Type.Null()]),
  insight: Type.Union([SavedInsightView, Type.Null()]),
  last_refresh: TextOrNull,
  is_cached: Type.Boolean(),
  error: Type.Optional(Type.Unknown({ description: 'Why there is no result, as errors are told.' })),
})

export const DashboardView = Type.Object({
  id: Type.Integer(),
  name: Name,
  description: DESCRIPTION,
  pinned: Type.Boolean(),
  tags: TAGS,
  filters: DashboardFilters,
  restriction_level: Restriction,
  creation_mode: Type.String(),
  is_shared: Type.Boolean(),
  tiles: Type.Union([Type.Array(TileView), Type.Null()], { description: 'Null in lists.' }),
  last_modified_at: Type.String(),
  last_modified_by: Type.String(),
  ...SHARED_VIEW,
})

export function presentTile(tile: Tile) {
  return {
    id: tile.id,
    layouts: JSON.parse(tile.layouts),
    color: tile.color,
    text: tile.body === null ? null : { body: tile.body },
    insight: tile.insight === null ? null : savedInsightFamily.present(tile.insight),
    last_refresh: null,
    is_cached: false,
  }
}

/** Insights and texts side by side. */
export const dashboardFamily: ObjectFamily<typeof Fields, Dashboard> = {
  object: 'dashboard',
  tag: 'dashboards',
  fields: Fields,
  onlyPosted: OnlyPosted,
  onlyPatched: OnlyPatched,
  absent: { name: '', description: '', pinned: false, tags: [], filters: {}, restriction_level: 21 },
  view: DashboardView,
  pages: PAGE_SIZES,
  filters: {
    search: textDeclared('Only those whose name or description holds this text.'),
    pinned: flagDeclared('`true`: only those that are.'),
    tags: textDeclared('Only those with this tag.'),
  },
  unique: null,
  example: {
    fields: { name: 'Sales', pinned: true, filters: { date_from: '-30d' } },
    view: {
      id: 1,
      name: 'Sales',
      description: '',
      pinned: true,
      tags: [],
      filters: { date_from: '-30d' },
      restriction_level: 21,
      creation_mode: 'default',
      is_shared: false,
      tiles: [],
      last_modified_at: '2026-11-28T09:00:00.000Z',
      last_modified_by: 'personal_api_key:5f0c1a9be2d34c7788aa0b1c',
      created_by: 'personal_api_key:5f0c1a9be2d34c7788aa0b1c',
      created_at: '2026-11-28T09:00:00.000Z',
      updated_at: '2026-11-28T09:00:00.000Z',
      deleted: false,
    },
  },
  columnsOf(fields) {
    const { pinned, tags, filters, ...given } = fields
    const { use_template, use_dashboard, duplicate_tiles, ...rest } = given as typeof given &
      Static<typeof OnlyPosted>
    const { tiles, delete_insights, ...others } = rest as typeof rest & Static<typeof OnlyPatched>
    if (filters !== undefined) checkDashboardFilters(filters)
    for (const tile of tiles ?? []) checkLayouts(tile.layouts)
    const making = readMaking({ use_template, use_dashboard, duplicate_tiles } as Static<typeof OnlyPosted>)
    return {
      ...others,
      ...(pinned === undefined ? {} : { pinned: Number(pinned) }),
      ...(tags === undefined ? {} : { tags: JSON.stringify([...new Set(tags)]) }),
      ...(filters === undefined ? {} : { filters: JSON.stringify(filters) }),
      ...(tiles === undefined ? {} : { tile_changes: tiles }),
      ...(delete_insights === undefined ? {} : { delete_insights }),
      making,
    } as ReturnType<ObjectFamily<typeof Fields, Dashboard>['columnsOf']>
  },
  present: (row) => ({
    id: row.id,
    name: row.name,
    description: row.description,
    pinned: row.pinned === 1,
    tags: JSON.parse(row.tags),
    filters: JSON.parse(row.filters),
    restriction_level: row.restriction_level,
    creation_mode: row.creation_mode,
    is_shared: row.is_shared,
    tiles: row.tiles?.map(presentTile) ?? null,
    last_modified_at: new Date(row.updated_at).toISOString(),
    last_modified_by: row.last_modified_by,
    ...sharedView(row),
  }),
}

/** @throws ApiError 400 for a template that there is not, and for two beginnings at once */
function readMaking({
  use_template: template,
  use_dashboard: dashboard,
  duplicate_tiles: isDeep,
}: Static<typeof OnlyPosted>): Making | null {
  if (template !== undefined && dashboard !== undefined)
    throw invalidInput('use_dashboard', 'A dashboard is made from a template or from another one, not both.')
  if (isDeep !== undefined && dashboard === undefined)
    throw invalidInput('duplicate_tiles', 'duplicate_tiles says how use_dashboard is meant: send that, too.')
  if (dashboard !== undefined) return { from: 'dashboard', id: dashboard, deep: isDeep ?? false }
  if (template === undefined) return null
  if (typeof template === 'number') return { from: 'stored-template', id: template }
  const found = builtInTemplates().get(template)
  if (found !== undefined) return { from: 'template', template: found }
  const names = [...builtInTemplates().keys()].join(', ')
  throw invalidInput(
    'use_template',
    `There is no such template. What is: ${names}, and own ones by their numbers.`,
    'does_not_exist',
  )
}
