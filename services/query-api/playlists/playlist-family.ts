import { Type } from '@sinclair/typebox'
import type { RecordingPlaylistRow } from '../../core/metadata/metadata-tables.ts'
import { PAGE_SIZES } from '../http/list-page.ts'
import { choiceDeclared, flagDeclared, textDeclared } from '../http/parameter-declarations.ts'
import { refuseUnknown } from '../http/request-parameters.ts'
import { textsOf } from '../insights/posted-parameters.ts'
import { USUAL_ORDERS } from '../objects/list-store.ts'
import type { ObjectFamily } from '../objects/object-family.ts'
import { SHARED_VIEW, sharedView } from '../objects/object-view.ts'
import { RECORDING_FILTERS, readRecordingFilters } from '../recordings/recordings-request.ts'
import { checkBelow } from '../saved-insights/insight-filters.ts'
import { DESCRIPTION } from '../saved-insights/saved-insight-family.ts'

const NAME_LENGTH_MAX = 400

const Name = Type.String({ maxLength: NAME_LENGTH_MAX })
const DerivedName = Type.Union([Name, Type.Null()], {
  description: 'What a client calls it as long as nobody has named it.',
})
const Filters = Type.Object(
  {},
  {
    additionalProperties: true,
    description:
      'What finds recordings for it: parameters of `session_recordings`, lists and objects as they are.',
  },
)

const Fields = Type.Object(
  {
    name: Type.Optional(Name),
    derived_name: Type.Optional(DerivedName),
    description: Type.Optional(DESCRIPTION),
    pinned: Type.Optional(Type.Boolean({ description: 'Marks it, for `?pinned=true`.' })),
    filters: Type.Optional(Filters),
  },
  { additionalProperties: false },
)

const View = Type.Object({
  id: Type.Integer(),
  short_id: Type.String(),
  name: Name,
  derived_name: DerivedName,
  description: DESCRIPTION,
  pinned: Type.Boolean(),
  filters: Filters,
  last_modified_at: Type.String(),
  last_modified_by: Type.String(),
  ...SHARED_VIEW,
})

const MAKER = 'personal_api_key:5f0c1a9be2d34c7788aa0b1c'
const FILTERS_EXAMPLE = { events: [{ id: 'purchase' }], console_logs: ['error'] }

/** Recordings that somebody wants to keep together. */
export const playlistFamily: ObjectFamily<typeof Fields, RecordingPlaylistRow> = {
  object: 'session_recording_playlist',
  tag: 'session_recording_playlists',
  fields: Fields,
  absent: { name: '', derived_name: null, description: '', pinned: false, filters: {} },
  view: View,
  pages: PAGE_SIZES,
  filters: {
    search: textDeclared('Only those whose name or description holds this text.'),
    pinned: flagDeclared('`true`: only those that are.'),
    user: flagDeclared('`true`: only those that this key made.'),
    created_by: textDeclared('Only those that this key made: `personal_api_key:<id>`.'),
    ordering: choiceDeclared('Of the list.', Object.keys(USUAL_ORDERS), '-updated_at'),
  },
  unique: null,
  example: {
    fields: { name: 'Buyers with errors', filters: FILTERS_EXAMPLE },
    view: {
      id: 1,
      short_id: 'k3JdQz7P',
      name: 'Buyers with errors',
      derived_name: null,
      description: '',
      pinned: false,
      filters: FILTERS_EXAMPLE,
      last_modified_at: '2026-11-28T09:00:00.000Z',
      last_modified_by: MAKER,
      created_by: MAKER,
      created_at: '2026-11-28T09:00:00.000Z',
      updated_at: '2026-11-28T09:00:00.000Z',
      deleted: false,
    },
  },
  columnsOf({ pinned, filters, ...others }) {
    if (filters !== undefined) checkFilters(filters)
    return {
      ...others,
      ...(pinned === undefined ? {} : { pinned: Number(pinned) }),
      ...(filters === undefined ? {} : { filters: JSON.stringify(filters) }),
    }
  },
  present: (row) => ({
    id: row.id,
    short_id: row.short_id,
    name: row.name,
    derived_name: row.derived_name,
    description: row.description,
    pinned: row.pinned === 1,
    filters: JSON.parse(row.filters),
    last_modified_at: new Date(row.updated_at).toISOString(),
    last_modified_by: row.last_modified_by,
    ...sharedView(row),
  }),
}

/** Dates are checked when recordings are looked for, as they may be relative to that. @throws ApiError 400 */
function checkFilters(filters: object): void {
  checkBelow({ ...filters }, () => {
    const query = textsOf({ ...filters })
    refuseUnknown(query, Object.keys(RECORDING_FILTERS))
    readRecordingFilters(query)
  })
}
