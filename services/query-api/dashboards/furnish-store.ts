import type { MetadataQueries } from '../../core/metadata/metadata.ts'
import { invalidInput } from '../http/api-error.ts'
import { tooMany } from '../objects/object-routes.ts'
import { type OwnColumns, within } from '../objects/object-store.ts'
import {
  createSavedInsightStore,
  type InsightWriter,
  type SavedInsight,
} from '../saved-insights/saved-insight-store.ts'
import { questionColumns } from '../saved-insights/saved-question.ts'
import { dashboardFilters } from './dashboard-store.ts'
import { type Template, usualLayouts } from './dashboard-template.ts'
import { templateOf } from './template-family.ts'
import { createTemplateStore } from './template-store.ts'
import { addTiles, type NewTile, tilesOf } from './tile-store.ts'

/** What a new dashboard begins with. */
export type Making =
  | { readonly from: 'template'; readonly template: Template }
  /** The dataset's own, by its number. */
  | { readonly from: 'stored-template'; readonly id: number }
  /** `deep`: copies of the insights, instead of the same ones. Texts are copied in any case. */
  | { readonly from: 'dashboard'; readonly id: number; readonly deep: boolean }

type NewInsight = Pick<SavedInsight, 'name' | 'description' | 'insight' | 'filters' | 'query' | 'tags'>

/**
 * Puts onto a new dashboard what it is made from.
 *
 * @param db the transaction that made it
 * @throws ApiError 400 when the other dashboard is not there, or the dataset has too many insights
 */
export async function furnish(
  db: MetadataQueries,
  dataset: string,
  dashboard: number,
  making: Making,
  writer: InsightWriter,
): Promise<void> {
  const insights = createSavedInsightStore(within(db), writer)

  async function made(insight: NewInsight): Promise<number> {
    const columns = { ...insight, favorited: 0, saved: 0, dashboards: [] as readonly number[] }
    const row = await insights.create(
      dataset,
      columns as unknown as OwnColumns<SavedInsight>,
      writer.atMs,
      writer.by,
    )
    if (row === null) throw tooMany('insights')
    return row.id
  }

  async function ofTemplate({ tiles }: Template): Promise<NewTile[]> {
    const found: NewTile[] = []
    for (const [place, tile] of tiles.entries()) {
      const placed = { layouts: tile.layouts ?? usualLayouts(place), color: tile.color ?? null }
      if (tile.type === 'TEXT') found.push({ ...placed, insight_id: null, body: tile.body })
      else
        found.push({
          ...placed,
          body: null,
          insight_id: await made({
            name: tile.name,
            description: tile.description ?? '',
            ...questionColumns(tile),
            tags: '[]',
          }),
        })
    }
    return found
  }

  async function ofDashboard(id: number, deep: boolean): Promise<NewTile[]> {
    const found: NewTile[] = []
    for (const { insight_id: own, body, color, layouts } of await tilesOf(db, dataset, id)) {
      const insight = own === null ? null : await insights.get(dataset, own)
      if (body === null && insight?.deleted !== 0) continue
      const copied = insight !== null && deep ? await made(copyOf(insight)) : own
      found.push({ insight_id: copied, body, color, layouts: JSON.parse(layouts) })
    }
    return found
  }

  // The new one is there already, and is not what was meant.
  if (making.from === 'dashboard') await checkThere(db, dataset, making.id, dashboard)
  await addTiles(db, dataset, dashboard, await tilesFor())

  async function tilesFor(): Promise<NewTile[]> {
    switch (making.from) {
      case 'template':
        return ofTemplate(making.template)
      case 'stored-template':
        return ofTemplate(await storedTemplate(db, dataset, making.id))
      case 'dashboard':
        return ofDashboard(making.id, making.deep)
    }
  }
}

function copyOf({ name, description, insight, filters, query, tags }: SavedInsight): NewInsight {
  return { name: name === '' ? '' : `${name} (copy)`, description, insight, filters, query, tags }
}

async function storedTemplate(db: MetadataQueries, dataset: string, id: number): Promise<Template> {
  const row = await createTemplateStore(within(db)).get(dataset, id)
  if (row !== null && row.deleted === 0) return templateOf(row)
  throw invalidInput('use_template', `There is no template ${id}.`, 'does_not_exist')
}

async function checkThere(db: MetadataQueries, dataset: string, id: number, made: number): Promise<void> {
  if (id === made || (await dashboardFilters({ db }, dataset, id)) === null)
    throw invalidInput('use_dashboard', `There is no dashboard ${id}.`, 'does_not_exist')
}
