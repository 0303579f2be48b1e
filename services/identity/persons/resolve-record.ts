import type { IdentityRecord } from '../../../schemas/identity-record/v1.ts'
import type { DatasetState } from './dataset-state.ts'
import { resolveCommand } from './resolve-command.ts'
import { resolveEvent } from './resolve-event.ts'

/**
 * Applies one record of `events.identity` to the persons of its dataset. What follows depends on the state and the
 * record alone, and not on which records share a batch with it: replaying a topic makes the same persons, versions
 * and history.
 */
export function resolveRecord(state: DatasetState, record: IdentityRecord): void {
  if (record.kind === 'event') resolveEvent(state, record)
  else resolveCommand(state, record)
}
