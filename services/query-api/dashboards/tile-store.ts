import type { MetadataQueries } from '../../core/metadata/metadata.ts'
import type { DashboardTileRow } from '../../core/metadata/metadata-tables.ts'
import { invalidInput } from '../http/api-error.ts'
import { nextNumber } from '../objects/object-store.ts'

/** Tiles of one dashboard. */
export const TILES_MAX = 100

/** Where a tile stands, by the width of the screen: whatever the client that draws it wrote. */
export type Layouts = Readonly<Record<string, unknown>>

export interface NewTile {
  readonly insight_id: number | null
  readonly body: string | null
  readonly layouts: Layouts
  readonly color: string | null
}

/** In the order in which they were made. */
export function tilesOf(
  db: MetadataQueries,
  dataset: string,
  dashboard: number,
): Promise<DashboardTileRow[]> {
  return db
    .selectFrom('dashboard_tiles')
    .selectAll()
    .where('dataset_id', '=', dataset)
    .where('dashboard_id', '=', dashboard)
    .orderBy('id')
    .execute()
}

export async function tilesOfInsights(
  db: MetadataQueries,
  dataset: string,
  insights: readonly number[],
): Promise<DashboardTileRow[]> {
  if (insights.length === 0) return []
  return db
    .selectFrom('dashboard_tiles')
    .selectAll()
    .where('dataset_id', '=', dataset)
    .where('insight_id', 'in', insights)
    .orderBy('id')
    .execute()
}

/**
 * @param db a transaction
 * @throws ApiError 400 when the dashboard would have more than {@link TILES_MAX}
 */
export async function addTiles(
  db: MetadataQueries,
  dataset: string,
  dashboard: number,
  tiles: readonly NewTile[],
): Promise<void> {
  const there = await tilesOf(db, dataset, dashboard)
  if (there.length + tiles.length > TILES_MAX)
    throw invalidInput('tiles', `A dashboard has at most ${TILES_MAX} tiles.`, 'limit_reached')
  for (const { layouts, ...tile } of tiles)
    await db
      .insertInto('dashboard_tiles')
      .values({
        ...tile,
        dataset_id: dataset,
        id: await nextNumber(db, dataset, 'dashboard_tiles'),
        dashboard_id: dashboard,
        layouts: JSON.stringify(layouts),
      })
      .execute()
}

/** @returns the tile as it is now; null when the dashboard has none of that number */
export async function changeTile(
  db: MetadataQueries,
  dataset: string,
  dashboard: number,
  id: number,
  change: Partial<Pick<DashboardTileRow, 'body' | 'layouts' | 'color' | 'dashboard_id'>>,
): Promise<DashboardTileRow | null> {
  const own = { ...change, id }
  const row = await db
    .updateTable('dashboard_tiles')
    .set(own)
    .where('dataset_id', '=', dataset)
    .where('dashboard_id', '=', dashboard)
    .where('id', '=', id)
    .returningAll()
    .executeTakeFirst()
  return row ?? null
}

/** Those that fit all that is named. */
export async function removeTiles(
  db: MetadataQueries,
  dataset: string,
  which: { readonly dashboard?: number; readonly insight?: number; readonly id?: number },
): Promise<void> {
  let query = db.deleteFrom('dashboard_tiles').where('dataset_id', '=', dataset)
  if (which.dashboard !== undefined) query = query.where('dashboard_id', '=', which.dashboard)
  if (which.insight !== undefined) query = query.where('insight_id', '=', which.insight)
  if (which.id !== undefined) query = query.where('id', '=', which.id)
  await query.execute()
}
