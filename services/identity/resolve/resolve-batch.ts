import type { IdentityRecord } from '../../../schemas/identity-record/v1.ts'
import type { PersonChange } from '../../../schemas/person/v1.ts'
import { decodeIdentityRecord } from '../../core/event/identity-record.ts'
import type { RecordBatch } from '../../core/kafka/log.ts'
import { createDatasetState, type DatasetChanges } from '../persons/dataset-state.ts'
import { resolveRecord } from '../persons/resolve-record.ts'
import { outboxRows } from '../publish/outbox-rows.ts'
import type { Claim, IdentityStore, OutboxRow, Step } from '../store/identity-store.ts'
import { loadKnownPersons } from './load-known-persons.ts'

/** What a batch of `events.identity` leads to, and what is counted of it. */
export interface ResolvedBatch {
  readonly step: Step
  readonly applied: number
  /** Events whose raw offset had been covered before. */
  readonly duplicates: number
  /** Offsets of records that cannot be read, with what is wrong. */
  readonly unreadable: readonly { readonly offset: number; readonly detail: string }[]
  readonly changes: ReadonlyMap<PersonChange, number>
}

/**
 * Applies the records of a batch, dataset by dataset, to the persons they concern.
 *
 * @param claim  where the partition stands; records before its position were applied before
 * @param nowMs  wall clock: when rows are queued
 */
export async function resolveBatch(
  store: IdentityStore,
  claim: Claim,
  batch: RecordBatch,
  nowMs: number,
): Promise<ResolvedBatch> {
  const { records, sources, duplicates, unreadable, next } = readBatch(claim, batch)
  const byDataset = Map.groupBy(records, ({ dataset_id }) => dataset_id)
  const stored = await store.datasets([...byDataset.keys()])
  const resolved = await Promise.all(
    [...byDataset].map(async ([datasetId, own]): Promise<[string, number, DatasetChanges]> => {
      const known = await loadKnownPersons(store, datasetId, stored.get(datasetId), own)
      const state = createDatasetState(known)
      for (const record of own) resolveRecord(state, record)
      return [datasetId, known.head.version, state.changes()]
    }),
  )
  const rows = resolved.flatMap(([datasetId, since, changes]) => outboxRows(datasetId, changes, since))
  const outbox = rows.map(
    (row, index): OutboxRow => ({
      ...row,
      seq: claim.outboxSeq + index + 1,
      queuedAt: nowMs,
    }),
  )
  const changed = resolved.filter(
    ([, since, { head, distinctIds, commands }]) =>
      head.version !== since || distinctIds.size > 0 || commands.length > 0,
  )
  const datasets = new Map(changed.map(([datasetId, , changes]) => [datasetId, changes]))
  const changes = new Map<PersonChange, number>()
  for (const { history } of datasets.values())
    for (const { change } of history) changes.set(change, (changes.get(change) ?? 0) + 1)
  return {
    step: { next, sources, datasets, outbox },
    applied: records.length,
    duplicates,
    unreadable,
    changes,
  }
}

/** Reads a batch past the position; of events that come again, and those after them, only what is new. */
function readBatch(claim: Claim, batch: RecordBatch) {
  const records: IdentityRecord[] = []
  const sources = new Map(claim.sources)
  const unreadable: { offset: number; detail: string }[] = []
  let duplicates = 0
  for (let index = 0; index < batch.length; index++) {
    const offset = batch.offset(index)
    if (offset < (claim.next ?? 0)) continue
    const decoded = decodeIdentityRecord(batch.value(index))
    if (!decoded.ok) {
      unreadable.push({ offset, detail: decoded.detail })
      continue
    }
    const { record } = decoded
    if (record.kind === 'event') {
      if (record.src_offset <= (sources.get(record.src_partition) ?? -1)) {
        duplicates++
        continue
      }
      sources.set(record.src_partition, record.src_offset)
    }
    records.push(record)
  }
  const next = Math.max(claim.next ?? 0, batch.offset(batch.length - 1) + 1)
  return { records, sources, duplicates, unreadable, next }
}
