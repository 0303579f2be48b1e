import type {
  ControlKind,
  ControlObjects,
  ControlRecord,
  Dataset,
  Delivery,
  EventSchema,
  Key,
  Subscription,
} from '../../../schemas/control/v1.ts'
import { canonicalHash } from './canonical-json.ts'
import type { Configured, ControlSnapshot } from './control-view.ts'

export type AnyControlRecord = { [K in ControlKind]: ControlRecord<K> }[ControlKind]

/** The id that an object stands under in `millrace.control`. A schema has none of its own: `<dataset>/<event>`. */
export function controlId<K extends ControlKind>(kind: K, object: ControlObjects[K]): string {
  if (kind === 'schema') {
    const schema = object as EventSchema
    return `${schema.dataset}/${schema.event}`
  }
  return (object as Exclude<ControlObjects[ControlKind], EventSchema>).id
}

export function controlRecord<K extends ControlKind>(
  kind: K,
  object: ControlObjects[K],
  managedBy: ControlRecord['managed_by'],
): ControlRecord<K> {
  return {
    v: 1,
    kind,
    id: controlId(kind, object),
    hash: canonicalHash(object),
    managed_by: managedBy,
    object,
  }
}

/** Unique among all objects of the installation. */
export function controlKey(kind: ControlKind, id: string): string {
  return `${kind}/${id}`
}

/** @param offset next offset of the control topic after the last of the records */
export function controlSnapshot(records: Iterable<AnyControlRecord>, offset: number): ControlSnapshot {
  const datasets = new Map<string, Configured<Dataset>>()
  const keys = new Map<string, Configured<Key>>()
  const schemas = new Map<string, Map<string, Configured<EventSchema>>>()
  const subscriptions = new Map<string, Configured<Subscription>>()
  const deliveries = new Map<string, Configured<Delivery>>()
  for (const record of records) {
    const { hash } = record
    switch (record.kind) {
      case 'dataset':
        datasets.set(record.id, { object: record.object, hash })
        break
      case 'key':
        keys.set(record.object.sha256, { object: record.object, hash })
        break
      case 'schema': {
        const ofDataset = schemas.get(record.object.dataset) ?? new Map<string, Configured<EventSchema>>()
        ofDataset.set(record.object.event, { object: record.object, hash })
        schemas.set(record.object.dataset, ofDataset)
        break
      }
      case 'subscription':
        subscriptions.set(record.id, { object: record.object, hash })
        break
      case 'delivery':
        deliveries.set(record.id, { object: record.object, hash })
        break
    }
  }
  return { offset, datasets, keys, schemas, subscriptions, deliveries }
}
