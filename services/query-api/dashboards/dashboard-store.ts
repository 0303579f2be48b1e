import { sql } from 'kysely'
import type { Metadata, MetadataQueries } from '../../core/metadata/metadata.ts'
import type { DashboardRow, DashboardTileRow } from '../../core/metadata/metadata-tables.ts'
import { createJournaledStore } from '../objects/journaled-store.ts'
import { flagged } from '../objects/list-store.ts'
import {
  holdsText,
  type ObjectStore,
  type ObjectTable,
  type Transactions,
  within,
} from '../objects/object-store.ts'
import type { Filters } from '../saved-insights/insight-filters.ts'
import {
  createSavedInsightStore,
  type InsightWriter,
  type SavedInsight,
} from '../saved-insights/saved-insight-store.ts'
import { closeShare, DASHBOARD_SHARES } from '../sharing/share-store.ts'
import { changeTiles, deleteInsightsOf, type TileChange } from './change-tiles-store.ts'
import { furnish, type Making } from './furnish-store.ts'
import { removeTiles, tilesOf } from './tile-store.ts'

export const DASHBOARDS_MAX = 1_000

export interface Tile extends DashboardTileRow {
  /** Null for a text. */
  readonly insight: SavedInsight | null
}

/** One with what is on it, and, where it is written, what is to be done with that. */
export interface Dashboard extends DashboardRow {
  /** Null in lists. Tiles of insights that are deleted are left out. */
  readonly tiles: readonly Tile[] | null
  readonly is_shared: boolean
  /** What it is made from; null for nothing. Written only. */
  readonly making: Making | null
  /** Written only. */
  readonly tile_changes: readonly TileChange[]
  /** Whether insights that are on no other dashboard are deleted as well. Written only. */
  readonly delete_insights: boolean
}

const KIND: ObjectTable = {
  table: 'dashboards',
  objectsMax: DASHBOARDS_MAX,
  order: sql`pinned DESC, lower(name), id`,
  where: (filters) => {
    const { search, tags } = filters
    return [
      ...(search ? [sql`(${holdsText('name', search)} OR ${holdsText('description', search)})`] : []),
      ...flagged(filters, 'pinned', sql`pinned = 1`),
      ...(tags ? [holdsText('tags', JSON.stringify(tags))] : []),
    ]
  },
}

/** Pinned ones first, then by name. */
export function createDashboardStore(metadata: Transactions, writer: InsightWriter): ObjectStore<Dashboard> {
  const rows = createJournaledStore<DashboardRow>(metadata, KIND, 'dashboard', writer)
  const inside = (db: MetadataQueries) =>
    createJournaledStore<DashboardRow>(within(db), KIND, 'dashboard', writer)

  return {
    async list(dataset, filters, page) {
      const found = await rows.list(dataset, filters, page)
      const shared = await sharedAmong(metadata.db, dataset, found.rows)
      return { ...found, rows: found.rows.map((row) => ({ ...row, ...bare(shared.has(row.id)) })) }
    },
    async get(dataset, id) {
      const row = await rows.get(dataset, id)
      return row === null ? null : complete(metadata.db, row, writer)
    },
    create: (dataset, columns, atMs, by) =>
      metadata.transaction(async (db) => {
        const { making } = columns
        const mode = making === null ? 'default' : making.from === 'dashboard' ? 'duplicate' : 'template'
        const own = { ...stored(columns), creation_mode: mode } as typeof columns
        const row = await inside(db).create(dataset, own, atMs, by)
        if (row === null) return null
        if (making !== null) await furnish(db, dataset, row.id, making, writer)
        return complete(db, row, writer)
      }),
    update: (dataset, id, change, atMs, seenMs) =>
      metadata.transaction(async (db) => {
        const { tile_changes: tiles = [], delete_insights: isDeep = false } = change
        const row = await inside(db).update(dataset, id, stored(change), atMs, seenMs)
        if (row === null) return null
        await changeTiles(db, dataset, id, tiles)
        if (isDeep && change.deleted === 1) await deleteInsightsOf(db, dataset, id, writer)
        return complete(db, row, writer)
      }),
    remove: (dataset, id) =>
      metadata.transaction(async (db) => {
        if (!(await inside(db).remove(dataset, id))) return false
        await removeTiles(db, dataset, { dashboard: id })
        await closeShare(db, DASHBOARD_SHARES, { dataset_id: dataset, id })
        return true
      }),
  }
}

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

/** Only what is a column. */
function stored<C extends Partial<Dashboard>>(columns: C) {
  const { tiles: _tiles, is_shared: _shared, making: _making, ...others } = columns
  const { tile_changes: _changes, delete_insights: _deep, ...own } = others
  return own
}

const bare = (isShared: boolean) => ({
  tiles: null,
  is_shared: isShared,
  making: null,
  tile_changes: [],
  delete_insights: false,
})

async function complete(db: MetadataQueries, row: DashboardRow, writer: InsightWriter): Promise<Dashboard> {
  const { dataset_id: dataset, id } = row
  const insights = createSavedInsightStore(within(db), writer)
  const tiles = await Promise.all(
    (await tilesOf(db, dataset, id)).map(async (tile) => ({
      ...tile,
      insight: tile.insight_id === null ? null : await insights.get(dataset, tile.insight_id),
    })),
  )
  return {
    ...row,
    ...bare((await sharedAmong(db, dataset, [row])).has(id)),
    tiles: tiles.filter(({ body, insight }) => body !== null || insight?.deleted === 0),
  }
}

async function sharedAmong(
  db: MetadataQueries,
  dataset: string,
  rows: readonly DashboardRow[],
): Promise<ReadonlySet<number>> {
  if (rows.length === 0) return new Set()
  const shares = await db
    .selectFrom('dashboard_shares')
    .select('dashboard_id')
    .where('dataset_id', '=', dataset)
    .where(
      'dashboard_id',
      'in',
      rows.map(({ id }) => id),
    )
    .execute()
  return new Set(shares.map(({ dashboard_id: id }) => id))
}
