import type { MetadataQueries } from '../../core/metadata/metadata.ts'
import { invalidInput } from '../http/api-error.ts'

/** Objects that others name by their numbers. */
const TABLES = { insight: 'insights', dashboard: 'dashboards' } as const

/**
 * Refuses the number of what a dataset does not have, or has deleted.
 *
 * @param attr where the number stands
 * @throws ApiError 400 `does_not_exist`
 */
export async function checkObject(
  db: MetadataQueries,
  object: keyof typeof TABLES,
  dataset: string,
  id: number,
  attr: string,
): Promise<void> {
  const row = await db
    .selectFrom(TABLES[object])
    .select('id')
    .where('dataset_id', '=', dataset)
    .where('id', '=', id)
    .where('deleted', '=', 0)
    .executeTakeFirst()
  if (row === undefined) throw invalidInput(attr, `There is no ${object} ${id}.`, 'does_not_exist')
}
