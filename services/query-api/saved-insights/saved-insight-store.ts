import { sql } from 'kysely'
import type { MetadataQueries } from '../../core/metadata/metadata.ts'
import type { SavedInsightRow } from '../../core/metadata/metadata-tables.ts'
import { usualLayouts } from '../dashboards/dashboard-template.ts'
import { addTiles, removeTiles, tilesOf, tilesOfInsights } from '../dashboards/tile-store.ts'
import { invalidInput } from '../http/api-error.ts'
import { checkObject } from '../objects/check-object.ts'
import { createJournaledStore, type Writer } from '../objects/journaled-store.ts'
import { flagged } from '../objects/list-store.ts'
import {
  holdsText,
  type ListFilters,
  type ObjectStore,
  type ObjectTable,
  type Transactions,
  within,
} from '../objects/object-store.ts'
import { parseDateRange } from '../query/date-range.ts'
import type { TimeZone } from '../query/zoned-time.ts'
import { closeShare, INSIGHT_SHARES } from '../sharing/share-store.ts'

export const INSIGHTS_MAX = 5_000

/** One with what is told beside it. */
export interface SavedInsight extends SavedInsightRow {
  /** Numbers of the dashboards that it is on. */
  readonly dashboards: readonly number[]
  /** Its dataset's. */
  readonly timezone: TimeZone
}

/** Who writes, and what times in his filters are relative to. */
export interface InsightWriter extends Writer {
  readonly zone: TimeZone
  /** A new id for addresses that people pass on; nobody guesses it. */
  readonly newShortId: () => string
}

/** Last changed first. */
export function createSavedInsightStore(
  metadata: Transactions,
  writer: InsightWriter,
): ObjectStore<SavedInsight> {
  const kind: ObjectTable = {
    table: 'insights',
    objectsMax: INSIGHTS_MAX,
    order: sql`updated_at DESC, id DESC`,
    where: (filters) => conditionsOf(filters, writer),
  }
  const { zone } = writer
  const rows = createJournaledStore<SavedInsightRow>(metadata, kind, 'insight', writer)

  return {
    async list(dataset, filters, page) {
      const found = await rows.list(dataset, filters, page)
      return { ...found, rows: await withDashboards(metadata.db, dataset, found.rows, zone) }
    },
    async get(dataset, id) {
      const row = await rows.get(dataset, id)
      return row === null ? null : one(metadata.db, dataset, row, zone)
    },
    create: (dataset, { dashboards, timezone: _zone, ...columns }, atMs, by) =>
      metadata.transaction(async (inside) => {
        const store = createJournaledStore<SavedInsightRow>(within(inside), kind, 'insight', writer)
        const own = { ...columns, short_id: writer.newShortId() }
        const row = await store.create(dataset, own, atMs, by)
        if (row === null) return null
        await placeOn(inside, dataset, row.id, dashboards)
        return one(inside, dataset, row, zone)
      }),
    update: (dataset, id, { dashboards, timezone: _zone, ...change }, atMs, seenMs) =>
      metadata.transaction(async (inside) => {
        const store = createJournaledStore<SavedInsightRow>(within(inside), kind, 'insight', writer)
        const row = await store.update(dataset, id, change, atMs, seenMs)
        if (row === null) return null
        if (dashboards !== undefined) await placeOn(inside, dataset, id, dashboards)
        return one(inside, dataset, row, zone)
      }),
    remove: (dataset, id) =>
      metadata.transaction(async (inside) => {
        const store = createJournaledStore<SavedInsightRow>(within(inside), kind, 'insight', writer)
        if (!(await store.remove(dataset, id))) return false
        await removeTiles(inside, dataset, { insight: id })
        await closeShare(inside, INSIGHT_SHARES, { dataset_id: dataset, id })
        await inside
          .deleteFrom('insight_views')
          .where('dataset_id', '=', dataset)
          .where('insight_id', '=', id)
          .execute()
        return true
      }),
  }
}

/** Puts an insight on these dashboards and takes it off all others. @throws ApiError 400 for one that is not there */
async function placeOn(
  db: MetadataQueries,
  dataset: string,
  insight: number,
  dashboards: readonly number[],
): Promise<void> {
  const there = (await tilesOfInsights(db, dataset, [insight])).map(({ dashboard_id: id }) => id)
  for (const dashboard of there)
    if (!dashboards.includes(dashboard)) await removeTiles(db, dataset, { insight, dashboard })
  for (const dashboard of dashboards) {
    if (there.includes(dashboard)) continue
    await checkObject(db, 'dashboard', dataset, dashboard, 'dashboards')
    const layouts = usualLayouts((await tilesOf(db, dataset, dashboard)).length)
    await addTiles(db, dataset, dashboard, [{ insight_id: insight, body: null, layouts, color: null }])
  }
}

async function one(
  db: MetadataQueries,
  dataset: string,
  row: SavedInsightRow,
  zone: TimeZone,
): Promise<SavedInsight> {
  return (await withDashboards(db, dataset, [row], zone))[0] as SavedInsight
}

async function withDashboards(
  db: MetadataQueries,
  dataset: string,
  rows: readonly SavedInsightRow[],
  timezone: TimeZone,
): Promise<SavedInsight[]> {
  const tiles = await tilesOfInsights(
    db,
    dataset,
    rows.map(({ id }) => id),
  )
  const of = Map.groupBy(tiles, ({ insight_id: id }) => id)
  return rows.map((row) => ({
    ...row,
    timezone,
    dashboards: (of.get(row.id) ?? []).map(({ dashboard_id: id }) => id).toSorted((a, b) => a - b),
  }))
}

function conditionsOf(filters: ListFilters, { by, zone, atMs }: InsightWriter) {
  const { search, insight, short_id: shortId, created_by: createdBy, date_from: from, date_to: to } = filters
  const onAny = sql`EXISTS (SELECT 1 FROM dashboard_tiles AS tile
    WHERE tile.dataset_id = insights.dataset_id AND tile.insight_id = insights.id)`
  const found = search
    ? [holdsText('name', search), holdsText('description', search), holdsText('tags', search)]
    : []
  const range = parseDateRange(from ?? 'all', to ?? null, atMs, zone)
  return [
    ...flagged(filters, 'saved', sql`(saved = 1 OR ${onAny})`),
    ...flagged(filters, 'favorited', sql`favorited = 1`),
    ...flagged(filters, 'user', sql`created_by = ${by}`),
    ...(found.length > 0 ? [sql`(${sql.join(found, sql` OR `)})`] : []),
    ...(insight ? [sql`insight = ${insight}`] : []),
    ...(shortId ? [sql`short_id = ${shortId}`] : []),
    ...(createdBy ? [sql`created_by = ${createdBy}`] : []),
    ...numbersIn(filters.dashboards ?? '').map(
      (
        dashboard,
      ) => sql`EXISTS (SELECT 1 FROM dashboard_tiles AS tile WHERE tile.dataset_id = insights.dataset_id
        AND tile.insight_id = insights.id AND tile.dashboard_id = ${dashboard})`,
    ),
    ...(range.fromMs === null ? [] : [sql`updated_at >= ${range.fromMs}`]),
    ...(to ? [sql`updated_at < ${range.toMs}`] : []),
  ]
}

/** @throws ApiError 400 */
function numbersIn(text: string): number[] {
  if (text === '') return []
  if (/^\[?\s*\d{1,15}(\s*,\s*\d{1,15}){0,99}\s*\]?$/.test(text))
    return text.match(/\d+/g)?.map((one) => +one) ?? []
  throw invalidInput('dashboards', 'dashboards are numbers, separated by commas.')
}
