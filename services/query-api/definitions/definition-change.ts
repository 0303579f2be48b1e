import type { Static } from '@sinclair/typebox'
import type { Clock } from '../../core/runtime/clock.ts'
import type { Ask } from '../query/ask.ts'
import type { DefinitionChange, DefinitionStore } from './definition-store.ts'
import type { PropertyChangeBody } from './definition-views.ts'

export interface DefinitionNeeds {
  readonly ask: Ask
  readonly clock: Pick<Clock, 'now'>
  readonly store: DefinitionStore
}

/** Nothing is said any more. */
export const FORGOTTEN = { description: '', tags: '[]', verified: 0, property_type: null } as const

/** A body as columns. @param isWhole whether what it leaves out is removed */
export function changeOf(body: Static<typeof PropertyChangeBody>, isWhole: boolean): DefinitionChange {
  const { description, tags, verified, property_type: type } = body
  return {
    ...(isWhole ? FORGOTTEN : {}),
    ...(description === undefined ? {} : { description }),
    ...(tags === undefined ? {} : { tags: JSON.stringify(tags) }),
    ...(verified === undefined ? {} : { verified: Number(verified) }),
    ...(type === undefined ? {} : { property_type: type }),
    // Who says something of a name that was deleted and seen again means the one that is there now.
    deleted_at: null,
  }
}
