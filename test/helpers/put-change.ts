import type { ControlKind, ControlObjects, ControlRecord } from '../../schemas/control/v1.ts'
import type { ControlChange } from '../../services/core/control/control-publisher.ts'
import { type AnyControlRecord, controlRecord } from '../../services/core/control/control-state.ts'

/** The change that makes an object what is given, whatever it was. */
export function putChange<K extends ControlKind>(
  kind: K,
  object: ControlObjects[K],
  managedBy: ControlRecord['managed_by'],
): ControlChange {
  return { action: 'put', record: controlRecord(kind, object, managedBy) as unknown as AnyControlRecord }
}
