import { sql } from 'kysely'
import type { DashboardTemplateRow } from '../../core/metadata/metadata-tables.ts'
import { createObjectStore, holdsText, type ObjectStore, type Transactions } from '../objects/object-store.ts'

export const TEMPLATES_MAX = 200

/** By name. */
export function createTemplateStore(metadata: Transactions): ObjectStore<DashboardTemplateRow> {
  return createObjectStore<DashboardTemplateRow>(metadata, {
    table: 'dashboard_templates',
    objectsMax: TEMPLATES_MAX,
    order: sql`lower(template_name), id`,
    where: ({ search }) => (search ? [holdsText('template_name', search)] : []),
  })
}
