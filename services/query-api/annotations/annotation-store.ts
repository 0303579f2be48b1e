import { sql } from 'kysely'
import type { Metadata } from '../../core/metadata/metadata.ts'
import type { AnnotationRow } from '../../core/metadata/metadata-tables.ts'
import { createObjectStore, holdsText, type ObjectStore } from '../objects/object-store.ts'

export const ANNOTATIONS_MAX = 10_000

/** Newest marker first; one without a marker stands where it was made. */
export function createAnnotationStore(metadata: Metadata): ObjectStore<AnnotationRow> {
  return createObjectStore<AnnotationRow>(metadata, {
    table: 'annotations',
    objectsMax: ANNOTATIONS_MAX,
    order: sql`coalesce(date_marker, created_at) DESC, id DESC`,
    where: ({ search }) => (search ? [holdsText('content', search)] : []),
  })
}
