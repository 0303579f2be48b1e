import type { ControlKind } from '../../../schemas/control/v1.ts'
import type { ProduceRecord } from '../kafka/log.ts'
import { objectRecords, sentinelRecord, tombstone } from './control-records.ts'
import type { AnyControlRecord } from './control-state.ts'
import { type ControlSource, controlTopicSpec } from './control-topic.ts'

export type ControlChange =
  | { readonly action: 'put'; readonly record: AnyControlRecord }
  | { readonly action: 'remove'; readonly kind: ControlKind; readonly id: string }

export interface ControlPublisher {
  /**
   * Publishes all changes in one transaction that ends with a sentinel: readers see all of them or none.
   *
   * @throws DependencyError `fenced` when another publisher was opened since this one: read again, compare again
   */
  publish(changes: readonly ControlChange[]): Promise<void>
  close(): Promise<void>
}

/** A publication is a handful of records; longer than this it is stuck. */
const TRANSACTION_TIMEOUT_MS = 30_000

/**
 * Opens the only publisher there can be: earlier ones are fenced. Open it *before* reading what the changes are
 * computed from; then two people who apply at the same time cannot overwrite each other's work unseen.
 */
export async function openControlPublisher(source: ControlSource): Promise<ControlPublisher> {
  const { log, names, clock } = source
  await log.admin.createTopics([controlTopicSpec(names)])
  const producer = await log.openTransactionalProducer(names.transactionalId('control', 'publisher'), {
    clientId: 'millrace-control-publisher',
    transactionTimeoutMs: TRANSACTION_TIMEOUT_MS,
  })
  return {
    async publish(changes) {
      const records: ProduceRecord[] = changes.flatMap((change) =>
        change.action === 'put'
          ? objectRecords(names.control, change.record)
          : [tombstone(names.control, change.kind, change.id)],
      )
      await producer.begin()
      await producer.send([...records, sentinelRecord(names.control, clock.now())])
      await producer.commit()
    },
    close: () => producer.close(),
  }
}
