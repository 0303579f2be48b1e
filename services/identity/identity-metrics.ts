import { LATENCY_BUCKETS, type Metrics } from '../core/runtime/metrics.ts'
import type { Selection } from './repartition/select-records.ts'
import type { ResolvedBatch } from './resolve/resolve-batch.ts'
import type { OutboxLevel, OutboxTarget } from './store/identity-store.ts'

/** What the stage tells about itself. Of events and of records, received = handled + ignored, always. */
export interface IdentityMetrics {
  /** A transaction over events of one partition is known to be committed. */
  selected(selection: Selection, seconds: number): void
  /** A batch of records is known to be committed. */
  resolved(batch: ResolvedBatch, seconds: number): void
  /** Rows were told and taken from the outbox. */
  told(rows: ReadonlyMap<OutboxTarget, number>, seconds: number): void
  /** Deleted events were taken out of ClickHouse. */
  erased(events: number): void
  /** Null: the partition is not ours any more. */
  outbox(partition: number, level: OutboxLevel | null): void
}

/** @param nowMs wall clock */
export function identityMetrics(metrics: Metrics, nowMs: () => number): IdentityMetrics {
  const count = (noun: string, help: string, labels?: readonly string[]) =>
    metrics.counter(`millrace_identity_${noun}_total`, help, labels)
  const seconds = (noun: string, help: string) =>
    metrics.histogram(`millrace_identity_${noun}_seconds`, help, LATENCY_BUCKETS)
  const receivedEvents = count('received_events', 'Records of events.enriched done with.')
  const handledEvents = count('handled_events', 'Events that were sent on to events.identity.')
  const ignoredEvents = count(
    'ignored_events',
    'Records of events.enriched that say nothing new about anybody, by why.',
    ['reason'],
  )
  const selectSeconds = seconds(
    'select',
    'From the first look at a batch of events to the answer to the commit of what they say.',
  )
  const receivedRecords = count('received_records', 'Records of events.identity done with.')
  const handledRecords = count('handled_records', 'Records of events.identity applied to persons.')
  const ignoredRecords = count(
    'ignored_records',
    'Records of events.identity that came again or cannot be read.',
    ['reason'],
  )
  const changes = count('changes', 'Lines of history written, refusals among them, by what happened.', [
    'change',
  ])
  const resolveSeconds = seconds(
    'resolve',
    'From the first look at a batch of records to the answer to its commit.',
  )
  const told = count('told_rows', 'Rows told to ClickHouse and the topic of persons, by table.', ['table'])
  const erased = count(
    'erased_events',
    'Rows of events that were found in ClickHouse to be deleted, and were.',
  )
  const tellSeconds = seconds('tell', 'From taking rows out of the outbox to both having them.')
  const rows = metrics.gauge(
    'millrace_identity_outbox_rows',
    'Rows that ClickHouse or the topic of persons do not have yet.',
    ['partition'],
  )
  const age = metrics.gauge(
    'millrace_identity_outbox_age_seconds',
    'How long the oldest of these rows has waited; 0 when there is none.',
    ['partition'],
  )
  return {
    selected({ records, ignored }, took) {
      const passed = [...ignored.values()].reduce((sum, events) => sum + events, 0)
      receivedEvents.add(records.length + passed)
      handledEvents.add(records.length)
      for (const [reason, events] of ignored) ignoredEvents.add(events, { reason })
      selectSeconds.observe(took)
    },
    resolved(batch, took) {
      const unreadable = batch.unreadable.length
      receivedRecords.add(batch.applied + batch.duplicates + unreadable)
      handledRecords.add(batch.applied)
      if (batch.duplicates > 0) ignoredRecords.add(batch.duplicates, { reason: 'duplicate' })
      if (unreadable > 0) ignoredRecords.add(unreadable, { reason: 'unreadable' })
      for (const [change, lines] of batch.changes) changes.add(lines, { change })
      resolveSeconds.observe(took)
    },
    told(counts, took) {
      for (const [table, lines] of counts) told.add(lines, { table })
      tellSeconds.observe(took)
    },
    erased: (events) => erased.add(events),
    outbox(partition, level) {
      const labels = { partition: String(partition) }
      if (level === null) {
        for (const gauge of [rows, age]) gauge.remove(labels)
        return
      }
      rows.set(level.rows, labels)
      age.set(level.oldestAt === null ? 0 : Math.max(0, nowMs() - level.oldestAt) / 1000, labels)
    },
  }
}
