import { Type } from '@sinclair/typebox'
import { SharedInsight, sharedInsight } from '../saved-insights/shared-insight.ts'
import type { Dashboard } from './dashboard-store.ts'
import { LayoutsSchema } from './dashboard-template.ts'
import type { TileResult } from './tile-results.ts'

/** A dashboard as strangers see it. */
export const SharedDashboard = Type.Object({
  name: Type.String(),
  description: Type.String(),
  timezone: Type.String(),
  tiles: Type.Array(
    Type.Object({
      layouts: LayoutsSchema,
      color: Type.Union([Type.String(), Type.Null()]),
      text: Type.Union([Type.Object({ body: Type.String() }), Type.Null()]),
      insight: Type.Union([SharedInsight, Type.Null()]),
    }),
  ),
})

export function sharedDashboard(
  { name, description }: Dashboard,
  timezone: string,
  tiles: readonly TileResult[],
) {
  return { name, description, timezone, tiles: tiles.map(sharedTile) }
}

function sharedTile({ tile, answer }: TileResult) {
  const { insight, body, layouts, color } = tile
  return {
    layouts: JSON.parse(layouts),
    color,
    text: body === null ? null : { body },
    insight: insight === null ? null : sharedInsight(insight, answer),
  }
}
