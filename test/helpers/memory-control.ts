import type {
  ControlKind,
  ControlRecord,
  Dataset,
  Delivery,
  EventSchema,
  Key,
  Subscription,
} from '../../schemas/control/v1.ts'
import {
  type AnyControlRecord,
  controlKey,
  controlRecord,
  controlSnapshot,
} from '../../services/core/control/control-state.ts'
import type { ControlSnapshot, ControlView } from '../../services/core/control/control-view.ts'

export interface ControlContent {
  readonly datasets?: readonly Dataset[]
  readonly keys?: readonly Key[]
  readonly schemas?: readonly EventSchema[]
  readonly subscriptions?: readonly Subscription[]
  readonly deliveries?: readonly Delivery[]
}

export interface MemoryControlView extends ControlView {
  /** Publishes: each list that is given replaces all objects of its kind; the others stay. */
  update(content: ControlContent): void
  /** What `problem()` answers from now on. */
  setProblem(problem: string | null): void
}

/** A control view over a configuration written down in a test. Every update moves its offset on by one. */
export function controlView(content: ControlContent = {}): MemoryControlView {
  const versions = new Map<string, AnyControlRecord>()
  const listeners = new Set<(snapshot: ControlSnapshot) => void>()
  let current: Required<ControlContent> = {
    datasets: [],
    keys: [],
    schemas: [],
    subscriptions: [],
    deliveries: [],
  }
  let offset = 0
  let problem: string | null = null

  function publish(changes: ControlContent): ControlSnapshot {
    current = { ...current, ...changes }
    const records: AnyControlRecord[] = [
      ...current.datasets.map((object) => controlRecord('dataset', object, 'config')),
      ...current.keys.map((object) => controlRecord('key', object, 'config')),
      ...current.schemas.map((object) => controlRecord('schema', object, 'config')),
      ...current.subscriptions.map((object) => controlRecord('subscription', object, 'config')),
      ...current.deliveries.map((object) => controlRecord('delivery', object, 'config')),
    ]
    for (const record of records) versions.set(controlKey(record.kind, record.hash), record)
    offset += 1
    return controlSnapshot(records, offset)
  }

  let snapshot = publish(content)
  return {
    get snapshot() {
      return snapshot
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    pinned<K extends ControlKind>(kind: K, hash: string) {
      return (versions.get(controlKey(kind, hash)) ?? null) as ControlRecord<K> | null
    },
    problem: () => problem,
    close: async () => listeners.clear(),
    update(changes) {
      snapshot = publish(changes)
      for (const listener of listeners) listener(snapshot)
    },
    setProblem(next) {
      problem = next
    },
  }
}
