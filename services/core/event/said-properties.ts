import type { EnrichedEvent } from '../../../schemas/enriched-event/v1.ts'
import type { JsonObject } from '../../../schemas/field.ts'
import { objectIn } from './object-in.ts'

/** What an event says about properties of its person. */
export interface SaidProperties {
  readonly set: JsonObject
  readonly setOnce: JsonObject
  readonly unset: readonly string[]
}

/**
 * Clients say it among the properties of an event, beside them (`$set`), or in the members `set` and `set_once`: what
 * stands further out goes before.
 */
export function saidProperties(
  event: Pick<EnrichedEvent, 'properties' | 'extra' | 'set' | 'set_once'>,
): SaidProperties {
  const { properties } = event
  const extra = event.extra ?? {}
  return {
    set: { ...objectIn(properties.$set), ...objectIn(extra.$set), ...event.set },
    setOnce: { ...objectIn(properties.$set_once), ...objectIn(extra.$set_once), ...event.set_once },
    unset: [properties.$unset, extra.$unset, extra.unset].flatMap(textsIn),
  }
}

function textsIn(value: unknown): string[] {
  return Array.isArray(value) ? value.filter((each) => typeof each === 'string') : []
}
