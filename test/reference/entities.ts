import { type FilterList, passes } from './filters.ts'
import type { Happening, History } from './history.ts'

/** Events of a name, null for any, that pass the filters. */
export interface EntityAsked {
  readonly id: string | null
  readonly properties?: FilterList
}

export function isOf(history: History, event: Happening, entity: EntityAsked): boolean {
  return (
    (entity.id === null || event.event === entity.id) &&
    (entity.properties === undefined || passes(history, event, entity.properties))
  )
}
