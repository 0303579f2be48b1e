import { type Static, Type } from '@sinclair/typebox'
import { invalidInput } from '../http/api-error.ts'
import { readBody } from '../http/read-body.ts'
import { checkFilters, DASHBOARD_FILTERS } from '../saved-insights/insight-filters.ts'
import { DESCRIPTION, QuerySchema, TAGS } from '../saved-insights/saved-insight-family.ts'
import { questionColumns } from '../saved-insights/saved-question.ts'
import { type Layouts, TILES_MAX } from './tile-store.ts'

export const NAME_LENGTH_MAX = 400
export const TEXT_LENGTH_MAX = 4_000
const COLOR_LENGTH_MAX = 40
const LAYOUTS_LENGTH_MAX = 2_000
const GRID_MAX = 10_000

export const Name = Type.String({ maxLength: NAME_LENGTH_MAX })
const Place = Type.Integer({ minimum: 0, maximum: GRID_MAX })
const Box = Type.Object(
  { x: Place, y: Place, w: Place, h: Place },
  { additionalProperties: true, description: 'In cells; what else a client keeps there is kept.' },
)
export const LayoutsSchema = Type.Object(
  { sm: Type.Optional(Box), xs: Type.Optional(Box) },
  {
    additionalProperties: false,
    description: 'Where it stands on wide (`sm`) and on narrow (`xs`) screens.',
  },
)
export const Color = Type.Union([Type.String({ maxLength: COLOR_LENGTH_MAX }), Type.Null()])
export const TextBody = Type.Object(
  { body: Type.String({ minLength: 1, maxLength: TEXT_LENGTH_MAX }) },
  { additionalProperties: false },
)
export const DashboardFilters = Type.Object(
  Object.fromEntries(DASHBOARD_FILTERS.map((name) => [name, Type.Optional(Type.Unknown())])),
  {
    additionalProperties: false,
    description: 'date_from, date_to and properties that stand over those of every insight on it.',
  },
)

const Placed = {
  layouts: Type.Optional(LayoutsSchema),
  color: Type.Optional(Color),
}
const InsightTile = Type.Object(
  {
    type: Type.Literal('INSIGHT'),
    name: Name,
    description: Type.Optional(DESCRIPTION),
    filters: Type.Optional(Type.Object({}, { additionalProperties: true })),
    query: Type.Optional(QuerySchema),
    ...Placed,
  },
  { additionalProperties: false },
)
const TextTile = Type.Object(
  { type: Type.Literal('TEXT'), body: TextBody.properties.body, ...Placed },
  { additionalProperties: false },
)

/** A dashboard as a document: what it takes to make it again, in any dataset. */
export const Template = Type.Object(
  {
    template_name: Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX }),
    dashboard_description: Type.Optional(DESCRIPTION),
    dashboard_filters: Type.Optional(DashboardFilters),
    tags: Type.Optional(TAGS),
    tiles: Type.Array(Type.Union([InsightTile, TextTile]), { maxItems: TILES_MAX }),
  },
  { additionalProperties: false },
)
export type Template = Static<typeof Template>

/** @throws ApiError 400 naming the field at fault, also of a filter that no question could be asked with */
export function readTemplate(given: unknown): Template {
  const template = readBody(Template, given)
  checkTiles(template.tiles)
  if (template.dashboard_filters !== undefined) checkDashboardFilters(template.dashboard_filters)
  return template
}

/** @throws ApiError 400 for filters that no question could be asked with, and for layouts of more than is kept */
export function checkTiles(tiles: Template['tiles']): void {
  for (const tile of tiles) {
    if (tile.type === 'INSIGHT') {
      if (tile.filters === undefined && !tile.query)
        throw invalidInput('tiles', 'A tile of an insight has filters or a query.', 'required')
      questionColumns(tile)
    }
    checkLayouts(tile.layouts)
  }
}

/** @throws ApiError 400 */
export function checkDashboardFilters(filters: Readonly<Record<string, unknown>>): void {
  checkFilters({ insight: 'TRENDS', ...filters })
}

/** @throws ApiError 400 for more than is kept */
export function checkLayouts(layouts: Layouts | undefined): void {
  if (layouts !== undefined && JSON.stringify(layouts).length > LAYOUTS_LENGTH_MAX)
    throw invalidInput('tiles', `layouts may have at most ${LAYOUTS_LENGTH_MAX} characters as JSON.`)
}

const COLUMNS = 2
const [WIDTH, HEIGHT] = [6, 5]

/** Where the tile at this place stands when nobody says so: two beside each other, on narrow screens one. */
export function usualLayouts(place: number): Layouts {
  const row = Math.floor(place / COLUMNS)
  return {
    sm: { x: (place % COLUMNS) * WIDTH, y: row * HEIGHT, w: WIDTH, h: HEIGHT },
    xs: { x: 0, y: place * HEIGHT, w: 1, h: HEIGHT },
  }
}
