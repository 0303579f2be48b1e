import { Type } from '@sinclair/typebox'
import type { DashboardTemplateRow } from '../../core/metadata/metadata-tables.ts'
import { PAGE_SIZES } from '../http/list-page.ts'
import { textDeclared } from '../http/parameter-declarations.ts'
import type { ObjectFamily } from '../objects/object-family.ts'
import { SHARED_VIEW, sharedView } from '../objects/object-view.ts'
import { checkDashboardFilters, checkTiles, Template } from './dashboard-template.ts'

/** One of the dataset, by its number, or one that comes with the product, by its name. */
const TemplateView = Type.Composite([
  Type.Object({ id: Type.Union([Type.Integer(), Type.String()]), is_built_in: Type.Boolean() }),
  Template,
  Type.Partial(Type.Object(SHARED_VIEW)),
])

/** A document is small; what it says is in the guide. */
export const TEMPLATE_EXAMPLE: Template = {
  template_name: 'Sales',
  dashboard_filters: { date_from: '-30d' },
  tiles: [
    { type: 'TEXT', body: 'Every purchase counts.' },
    { type: 'INSIGHT', name: 'Buyers', filters: { events: [{ id: 'purchase', math: 'dau' }] } },
  ],
}

/** Dashboards as documents, of one's own. */
export const templateFamily: ObjectFamily<typeof Template, DashboardTemplateRow> = {
  object: 'dashboard',
  tag: 'dashboard_templates',
  fields: Template,
  absent: { dashboard_description: '', dashboard_filters: {}, tags: [] },
  view: TemplateView,
  pages: PAGE_SIZES,
  filters: { search: textDeclared('Only those whose name holds this text.') },
  unique: null,
  example: {
    fields: TEMPLATE_EXAMPLE,
    view: {
      id: 1,
      is_built_in: false,
      dashboard_description: '',
      tags: [],
      ...TEMPLATE_EXAMPLE,
      created_by: 'personal_api_key:5f0c1a9be2d34c7788aa0b1c',
      created_at: '2026-11-28T09:00:00.000Z',
      updated_at: '2026-11-28T09:00:00.000Z',
      deleted: false,
    },
  },
  columnsOf({ dashboard_filters: filters, tags, tiles, ...others }) {
    if (filters !== undefined) checkDashboardFilters(filters)
    if (tiles !== undefined) checkTiles(tiles)
    return {
      ...others,
      ...(filters === undefined ? {} : { dashboard_filters: JSON.stringify(filters) }),
      ...(tags === undefined ? {} : { tags: JSON.stringify([...new Set(tags)]) }),
      ...(tiles === undefined ? {} : { tiles: JSON.stringify(tiles) }),
    }
  },
  present: (row) => ({ id: row.id, is_built_in: false, ...templateOf(row), ...sharedView(row) }),
}

/** The document that a row holds. */
export function templateOf(row: DashboardTemplateRow): Template {
  return {
    template_name: row.template_name,
    dashboard_description: row.dashboard_description,
    dashboard_filters: JSON.parse(row.dashboard_filters),
    tags: JSON.parse(row.tags),
    tiles: JSON.parse(row.tiles),
  }
}
