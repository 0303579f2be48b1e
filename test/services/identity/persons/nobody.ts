import type { IdentityEvent } from '../../../../schemas/identity-record/v1.ts'
import type { KnownPersons } from '../../../../services/identity/persons/person.ts'

/** A dataset of which nothing is known yet. */
export const NOBODY: KnownPersons = {
  head: { version: 0, changedAt: 0 },
  person: () => null,
  distinctId: () => null,
  distinctIdsOf: () => [],
  groupTypes: [],
  group: () => null,
  hasCommand: () => false,
}

/** An event that says no more than it is told to. */
export function identityEvent(distinct_id: string, said: Partial<IdentityEvent> = {}): IdentityEvent {
  return {
    v: 1,
    kind: 'event',
    dataset_id: 'shop',
    event_id: 'e',
    event: 'view',
    event_time: 1,
    collector_time: 1,
    src_partition: 0,
    src_offset: 0,
    distinct_id,
    ...said,
  }
}
