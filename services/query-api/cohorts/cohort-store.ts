import { sql } from 'kysely'
import type { Metadata } from '../../core/metadata/metadata.ts'
import type { CohortRow } from '../../core/metadata/metadata-tables.ts'
import { createObjectStore, holdsText, type ObjectStore } from '../objects/object-store.ts'

export const COHORTS_MAX = 1_000

/** Newest first. */
export function createCohortStore(metadata: Metadata): ObjectStore<CohortRow> {
  return createObjectStore<CohortRow>(metadata, {
    table: 'cohorts',
    objectsMax: COHORTS_MAX,
    order: sql`id DESC`,
    where: ({ search }) => (search ? [holdsText('name', search)] : []),
  })
}
