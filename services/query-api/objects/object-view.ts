import { Type } from '@sinclair/typebox'
import type { ObjectRow } from '../../core/metadata/metadata-tables.ts'

/** Properties that every object is shown with. */
export const SHARED_VIEW = {
  created_by: Type.String({ description: 'Whose key made it: `personal_api_key:<id>`.' }),
  created_at: Type.String(),
  updated_at: Type.String({ description: 'Grows with every change.' }),
  deleted: Type.Boolean(),
} as const

export function sharedView(row: ObjectRow) {
  return {
    created_by: row.created_by,
    created_at: new Date(row.created_at).toISOString(),
    updated_at: new Date(row.updated_at).toISOString(),
    deleted: row.deleted === 1,
  }
}
