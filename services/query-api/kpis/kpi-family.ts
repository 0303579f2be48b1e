import { Type } from '@sinclair/typebox'
import type { KpiRow } from '../../core/metadata/metadata-tables.ts'
import { choiceSchema } from '../http/choice-schema.ts'
import { PAGE_SIZES } from '../http/list-page.ts'
import { choiceDeclared, textDeclared } from '../http/parameter-declarations.ts'
import type { ObjectFamily } from '../objects/object-family.ts'
import { SHARED_VIEW, sharedView } from '../objects/object-view.ts'

const NAME_LENGTH_MAX = 400
const ROW_MAX = 1_000
const ORDER_MAX = 1_000_000

/** Which way a number is to go. */
const TRENDS = ['up', 'down', 'none'] as const
export const KPI_ORDERINGS = ['order', '-order', 'name', '-name', 'created_at', '-created_at'] as const

const Name = Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX })
const Insight = Type.Integer({
  minimum: 1,
  maximum: 999_999_999_999_999,
  description: 'Number of the saved insight whose result it shows.',
})
const KpiRowNumber = Type.Integer({ minimum: 0, maximum: ROW_MAX, description: 'Row that it stands in.' })
const Order = Type.Integer({ minimum: 0, maximum: ORDER_MAX, description: 'Place within the row.' })
const Trend = choiceSchema(TRENDS, { description: 'Which way is good.' })

const Fields = Type.Object(
  {
    name: Name,
    insight: Insight,
    kpi_row: Type.Optional(KpiRowNumber),
    order: Type.Optional(Order),
    trend: Type.Optional(Trend),
  },
  { additionalProperties: false },
)

const View = Type.Object({
  id: Type.Integer(),
  name: Name,
  insight: Insight,
  kpi_row: KpiRowNumber,
  order: Order,
  trend: Trend,
  updated_by: Type.String(),
  ...SHARED_VIEW,
})

const MAKER = 'personal_api_key:5f0c1a9be2d34c7788aa0b1c'

/** Numbers that are to be seen at a glance. */
export const kpiFamily: ObjectFamily<typeof Fields, KpiRow> = {
  object: 'kpi',
  tag: 'kpis',
  fields: Fields,
  absent: { kpi_row: 0, order: 0, trend: 'up' },
  view: View,
  pages: PAGE_SIZES,
  filters: {
    ordering: choiceDeclared('Of the list; within `order` by rows first.', KPI_ORDERINGS, 'order'),
    insight: textDeclared('Only those of this saved insight.'),
  },
  unique: null,
  example: {
    fields: { name: 'Buyers', insight: 1, kpi_row: 1, order: 2 },
    view: {
      id: 1,
      name: 'Buyers',
      insight: 1,
      kpi_row: 1,
      order: 2,
      trend: 'up',
      updated_by: MAKER,
      created_by: MAKER,
      created_at: '2026-11-28T09:00:00.000Z',
      updated_at: '2026-11-28T09:00:00.000Z',
      deleted: false,
    },
  },
  columnsOf: ({ order, ...others }) => ({ ...others, ...(order === undefined ? {} : { place: order }) }),
  present: (row) => ({
    id: row.id,
    name: row.name,
    insight: row.insight,
    kpi_row: row.kpi_row,
    order: row.place,
    trend: row.trend,
    updated_by: row.last_modified_by,
    ...sharedView(row),
  }),
}
