import type { JsonObject } from '../../../schemas/field.ts'
import type { ChangeReason, PersonChange } from '../../../schemas/person/v1.ts'
import type { DatasetState } from './dataset-state.ts'

/** What a record is about, for every line of history that it causes. */
export interface Cause {
  /** Arrival, epoch ms. */
  readonly collectorTime: number
  readonly eventId: string
  readonly distinctId: string
  /** '' for an event. */
  readonly actor: string
}

export interface Happening {
  readonly personKey: string
  readonly change: PersonChange
  readonly reason: ChangeReason
  readonly otherPersonKey?: string
  readonly distinctId?: string
  readonly properties: JsonObject
}

/** Writes one line of history under a version of its own. @returns when it happened */
export function writeHistory(
  state: DatasetState,
  cause: Cause,
  version: number,
  happening: Happening,
): { readonly version: number; readonly validFrom: number } {
  const validFrom = state.changeAt(cause.collectorTime)
  state.note({
    personKey: happening.personKey,
    validFrom,
    version,
    change: happening.change,
    reason: happening.reason,
    eventId: cause.eventId,
    distinctId: happening.distinctId ?? cause.distinctId,
    otherPersonKey: happening.otherPersonKey ?? '',
    properties: happening.properties,
    actor: cause.actor,
  })
  return { version, validFrom }
}
