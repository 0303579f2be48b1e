import { Type } from '@sinclair/typebox'
import type { AnnotationRow } from '../../core/metadata/metadata-tables.ts'
import { choiceSchema } from '../http/choice-schema.ts'
import { textDeclared } from '../http/parameter-declarations.ts'
import { readTime } from '../objects/object-body.ts'
import type { ObjectFamily } from '../objects/object-family.ts'
import { SHARED_VIEW, sharedView } from '../objects/object-view.ts'

export const CONTENT_LENGTH_MAX = 400
/** Charts want all of a stretch of time at once. */
const PAGES = { default: 1_000, max: 1_000 }

const CreationType = choiceSchema(['USR', 'GIT'], { description: 'Made by a person, or from a release.' })
const Scope = choiceSchema(['dashboard_item', 'dataset', 'project'], { description: 'Where it is shown.' })
const TextOrNull = Type.Union([Type.String({ maxLength: 40 }), Type.Null()])
const DashboardItem = Type.Union([Type.Integer({ minimum: 1, maximum: 999_999_999_999_999 }), Type.Null()], {
  description: 'Number of the insight that it belongs to.',
})

const Fields = Type.Object(
  {
    content: Type.String({ minLength: 1, maxLength: CONTENT_LENGTH_MAX }),
    date_marker: Type.Optional(TextOrNull),
    creation_type: Type.Optional(CreationType),
    scope: Type.Optional(Scope),
    dashboard_item: Type.Optional(DashboardItem),
  },
  { additionalProperties: false },
)

const View = Type.Object({
  id: Type.Integer(),
  content: Type.String(),
  date_marker: Type.Union([Type.String(), Type.Null()]),
  creation_type: CreationType,
  scope: Scope,
  dashboard_item: DashboardItem,
  ...SHARED_VIEW,
})

/** Notes at a point in time, for charts. */
export const annotationFamily: ObjectFamily<typeof Fields, AnnotationRow> = {
  object: 'annotation',
  tag: 'annotations',
  fields: Fields,
  absent: { date_marker: null, creation_type: 'USR', scope: 'dashboard_item', dashboard_item: null },
  view: View,
  pages: PAGES,
  filters: { search: textDeclared('Only those whose content holds this text.') },
  unique: null,
  example: {
    fields: { content: 'New checkout', date_marker: '2026-11-20T08:00:00Z', scope: 'project' },
    view: {
      id: 1,
      content: 'New checkout',
      date_marker: '2026-11-20T08:00:00.000Z',
      creation_type: 'USR',
      scope: 'project',
      dashboard_item: null,
      created_by: 'personal_api_key:5f0c1a9be2d34c7788aa0b1c',
      created_at: '2026-11-28T09:00:00.000Z',
      updated_at: '2026-11-28T09:00:00.000Z',
      deleted: false,
    },
  },
  columnsOf: ({ date_marker: marker, ...others }) => ({
    ...others,
    ...(marker === undefined
      ? {}
      : { date_marker: marker === null ? null : readTime(marker, 'date_marker') }),
  }),
  present: (row) => ({
    id: row.id,
    content: row.content,
    date_marker: row.date_marker === null ? null : new Date(row.date_marker).toISOString(),
    creation_type: row.creation_type,
    scope: row.scope,
    dashboard_item: row.dashboard_item,
    ...sharedView(row),
  }),
}
