import type { MetadataQueries } from '../../core/metadata/metadata.ts'
import { invalidInput } from '../http/api-error.ts'
import { checkObject } from '../objects/check-object.ts'
import { within } from '../objects/object-store.ts'
import { createSavedInsightStore, type InsightWriter } from '../saved-insights/saved-insight-store.ts'
import { usualLayouts } from './dashboard-template.ts'
import {
  addTiles,
  changeTile,
  type Layouts,
  type NewTile,
  removeTiles,
  tilesOf,
  tilesOfInsights,
} from './tile-store.ts'

/** A tile that is there, by its id, or one that is to be: of an insight or a text. */
export interface TileChange {
  readonly id?: number
  readonly insight?: number
  readonly text?: { readonly body: string }
  readonly layouts?: Layouts
  readonly color?: string | null
  readonly deleted?: boolean
}

/**
 * @param db a transaction
 * @throws ApiError 400 with the place of the change in `attr`
 */
export async function changeTiles(
  db: MetadataQueries,
  dataset: string,
  dashboard: number,
  changes: readonly TileChange[],
): Promise<void> {
  for (const [at, { id, insight, text, layouts, color, deleted }] of changes.entries()) {
    const attr = `tiles__${at}`
    if (id === undefined) {
      const tile = { color: color ?? null, layouts: layouts ?? (await freePlace(db, dataset, dashboard)) }
      await add(db, dataset, dashboard, attr, insight, text?.body, tile)
      continue
    }
    if (insight !== undefined)
      throw invalidInput(`${attr}__insight`, 'A tile keeps its insight. Remove it, and add another one.')
    const change = {
      ...(layouts === undefined ? {} : { layouts: JSON.stringify(layouts) }),
      ...(color === undefined ? {} : { color }),
      ...(text === undefined ? {} : { body: text.body }),
    }
    const before = (await tilesOf(db, dataset, dashboard)).find((tile) => tile.id === id)
    if (before === undefined)
      throw invalidInput(`${attr}__id`, `This dashboard has no tile ${id}.`, 'does_not_exist')
    if (text !== undefined && before.body === null)
      throw invalidInput(`${attr}__text`, 'This tile is an insight, and has no text.')
    if (deleted === true) await removeTiles(db, dataset, { dashboard, id })
    else await changeTile(db, dataset, dashboard, id, change)
  }
}

/**
 * Takes a tile from one dashboard to another.
 *
 * @param db a transaction
 * @returns false when the first one has no such tile
 * @throws ApiError 400 when the other one is not there, is full, or has this insight already
 */
export async function moveTile(
  db: MetadataQueries,
  dataset: string,
  tile: number,
  from: number,
  to: number,
): Promise<boolean> {
  const moved = (await tilesOf(db, dataset, from)).find(({ id }) => id === tile)
  if (moved === undefined) return false
  await checkObject(db, 'dashboard', dataset, to, 'toDashboard')
  const { insight_id: insight, body, color, layouts } = moved
  await removeTiles(db, dataset, { dashboard: from, id: tile })
  if (insight !== null) await refuseTwice(db, dataset, to, insight, 'toDashboard')
  await addTiles(db, dataset, to, [{ insight_id: insight, body, color, layouts: JSON.parse(layouts) }], tile)
  return true
}

/** Deletes insights of a dashboard that are on no other one, so that they can be restored. @param db a transaction */
export async function deleteInsightsOf(
  db: MetadataQueries,
  dataset: string,
  dashboard: number,
  writer: InsightWriter,
): Promise<void> {
  const insights = createSavedInsightStore(within(db), writer)
  const own = (await tilesOf(db, dataset, dashboard)).flatMap(({ insight_id: id }) =>
    id === null ? [] : [id],
  )
  const elsewhere = new Set(
    (await tilesOfInsights(db, dataset, own))
      .filter((tile) => tile.dashboard_id !== dashboard)
      .map(({ insight_id: id }) => id),
  )
  for (const id of own)
    if (!elsewhere.has(id)) await insights.update(dataset, id, { deleted: 1 }, writer.atMs, null)
}

async function add(
  db: MetadataQueries,
  dataset: string,
  dashboard: number,
  attr: string,
  insight: number | undefined,
  body: string | undefined,
  placed: Pick<NewTile, 'color' | 'layouts'>,
): Promise<void> {
  if ((insight === undefined) === (body === undefined))
    throw invalidInput(attr, 'A new tile has either an insight or a text; one that is there has its id.')
  if (insight !== undefined) {
    await checkObject(db, 'insight', dataset, insight, `${attr}__insight`)
    await refuseTwice(db, dataset, dashboard, insight, `${attr}__insight`)
  }
  await addTiles(db, dataset, dashboard, [{ ...placed, insight_id: insight ?? null, body: body ?? null }])
}

async function refuseTwice(
  db: MetadataQueries,
  dataset: string,
  dashboard: number,
  insight: number,
  attr: string,
): Promise<void> {
  const there = await tilesOfInsights(db, dataset, [insight])
  if (there.some((tile) => tile.dashboard_id === dashboard))
    throw invalidInput(attr, `Insight ${insight} is on that dashboard already.`, 'unique')
}

/** Below what is there. */
async function freePlace(db: MetadataQueries, dataset: string, dashboard: number): Promise<Layouts> {
  return usualLayouts((await tilesOf(db, dataset, dashboard)).length)
}
