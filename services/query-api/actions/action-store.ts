import { sql } from 'kysely'
import type { Metadata } from '../../core/metadata/metadata.ts'
import type { ActionRow } from '../../core/metadata/metadata-tables.ts'
import { createObjectStore, holdsText, type ObjectStore } from '../objects/object-store.ts'
import { ACTIONS_MAX } from './action-family.ts'

/** Newest first. */
export function createActionStore(metadata: Metadata): ObjectStore<ActionRow> {
  return createObjectStore<ActionRow>(metadata, {
    table: 'actions',
    objectsMax: ACTIONS_MAX,
    order: sql`id DESC`,
    where: ({ search }) => (search ? [holdsText('name', search)] : []),
  })
}
