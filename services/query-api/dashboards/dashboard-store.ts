import type { Metadata } from '../../core/metadata/metadata.ts'
import type { Filters } from '../saved-insights/insight-filters.ts'

/** What a dashboard says of all of its insights; null when it is not there. */
export async function dashboardFilters(
  { db }: Pick<Metadata, 'db'>,
  dataset: string,
  id: number,
): Promise<Filters | null> {
  const row = await db
    .selectFrom('dashboards')
    .select('filters')
    .where('dataset_id', '=', dataset)
    .where('id', '=', id)
    .where('deleted', '=', 0)
    .executeTakeFirst()
  return row === undefined ? null : JSON.parse(row.filters)
}
