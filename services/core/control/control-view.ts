import type {
  ControlKind,
  ControlRecord,
  Dataset,
  Delivery,
  EventSchema,
  Key,
  Subscription,
} from '../../../schemas/control/v1.ts'

/**
 * Everything that `millrace.control` said up to one offset. Immutable: a stage that works on a batch holds one
 * snapshot from its beginning to its end.
 */
export interface ControlSnapshot {
  /** Next offset of the control topic; receipts, plans and manifests carry it. */
  readonly offset: number
  readonly datasets: ReadonlyMap<string, Configured<Dataset>>
  /** By SHA-256 of the key text, lower-case hex. */
  readonly keys: ReadonlyMap<string, Configured<Key>>
  /** By dataset, then event name. */
  readonly schemas: ReadonlyMap<string, ReadonlyMap<string, Configured<EventSchema>>>
  readonly subscriptions: ReadonlyMap<string, Configured<Subscription>>
  readonly deliveries: ReadonlyMap<string, Configured<Delivery>>
}

export interface Configured<T> {
  readonly object: T
  /** SHA-256 of the object's canonical JSON. */
  readonly hash: string
}

/** Follows `millrace.control`. Opening it reads the topic to its end; a change needs no restart. */
export interface ControlView {
  readonly snapshot: ControlSnapshot
  /** Called after every applied transaction with the new snapshot. Returns a function that ends it. */
  onChange(listener: (snapshot: ControlSnapshot) => void): () => void
  /**
   * An object as it was when its hash was taken, also after it was changed or removed: a replayed plan runs under
   * the configuration it was made with. Null when no such version was ever published.
   */
  pinned<K extends ControlKind>(kind: K, hash: string): ControlRecord<K> | null
  /** Null when the end of the topic was confirmed lately, else one sentence for the health answer. */
  problem(): string | null
  close(): Promise<void>
}
