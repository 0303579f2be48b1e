import { Type } from '@sinclair/typebox'
import type { CohortRow } from '../../core/metadata/metadata-tables.ts'
import { textDeclared } from '../http/parameter-declarations.ts'
import type { ObjectFamily } from '../objects/object-family.ts'
import type { OwnColumns } from '../objects/object-store.ts'
import { SHARED_VIEW, sharedView } from '../objects/object-view.ts'

const LENGTHS = { name: 400, description: 1_000 } as const
/** What a cohort is before anything was calculated of it. */
export const UNCALCULATED = {
  calculation: 0,
  members: null,
  calculated_at: null,
  begun: 0,
  begun_at: null,
  begun_until: null,
  is_due: 0,
  errors: 0,
} as const satisfies Partial<OwnColumns<CohortRow>>

const Name = Type.String({ minLength: 1, maxLength: LENGTHS.name })
const Description = Type.String({ maxLength: LENGTHS.description })
const Filters = Type.Object(
  {
    properties: Type.Optional(
      Type.Unknown({ description: 'A group `{"type":"AND"|"OR","values":[…]}` of criteria and groups.' }),
    ),
  },
  { additionalProperties: false, description: 'What makes somebody a member; a static cohort has none.' },
)

/** What POST and PUT take, and PATCH some of. */
export const CohortFields = Type.Object(
  {
    name: Name,
    description: Type.Optional(Description),
    is_static: Type.Optional(
      Type.Boolean({ description: 'Its members are listed and not calculated. It cannot be changed.' }),
    ),
    filters: Type.Optional(Filters),
  },
  { additionalProperties: false },
)

const TimeOrNull = Type.Union([Type.String(), Type.Null()])
const View = Type.Object({
  id: Type.Integer(),
  name: Name,
  description: Description,
  groups: Type.Array(Type.Never(), { description: 'Criteria of an older kind: none.' }),
  filters: Filters,
  is_static: Type.Boolean(),
  is_calculating: Type.Boolean({ description: 'A calculation is running, or somebody asked for one.' }),
  last_calculation: TimeOrNull,
  errors_calculating: Type.Integer({ description: 'Failed calculations since the last finished one.' }),
  count: Type.Union([Type.Integer(), Type.Null()], {
    description: 'Members by the last finished calculation.',
  }),
  ...SHARED_VIEW,
})

const EXAMPLE = {
  name: 'Bought lately',
  filters: {
    properties: {
      type: 'AND',
      values: [
        {
          type: 'behavioral',
          value: 'performed_event',
          key: 'purchase',
          event_type: 'events',
          time_value: 30,
          time_interval: 'day',
        },
        { type: 'person', key: 'plan', operator: 'exact', value: ['pro'] },
      ],
    },
  },
}

/** Named sets of persons. */
export const cohortFamily: ObjectFamily<typeof CohortFields, CohortRow> = {
  object: 'cohort',
  tag: 'cohorts',
  fields: CohortFields,
  absent: { description: '', is_static: false, filters: {} },
  view: View,
  pages: { default: 100, max: 1_000 },
  filters: { search: textDeclared('Only those whose name holds this text.') },
  unique: null,
  example: {
    fields: EXAMPLE,
    view: {
      id: 1,
      ...EXAMPLE,
      description: '',
      groups: [],
      is_static: false,
      is_calculating: false,
      last_calculation: '2026-11-28T09:00:02.000Z',
      errors_calculating: 0,
      count: 1_234,
      created_by: 'personal_api_key:5f0c1a9be2d34c7788aa0b1c',
      created_at: '2026-11-28T09:00:00.000Z',
      updated_at: '2026-11-28T09:00:00.000Z',
      deleted: false,
    },
  },
  columnsOf: ({ filters, is_static: isStatic, ...others }) => ({
    ...others,
    ...(filters === undefined ? {} : { filters: JSON.stringify(filters) }),
    ...(isStatic === undefined ? {} : { is_static: Number(isStatic) }),
  }),
  present: (row) => ({
    id: row.id,
    name: row.name,
    description: row.description,
    groups: [],
    filters: JSON.parse(row.filters),
    is_static: row.is_static === 1,
    is_calculating: row.begun_until !== null || row.is_due === 1,
    last_calculation: row.calculated_at === null ? null : new Date(row.calculated_at).toISOString(),
    errors_calculating: row.errors,
    count: row.members,
    ...sharedView(row),
  }),
}
