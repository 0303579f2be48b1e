import type { DedupeEntry } from '../../schemas/dedupe/v1.ts'
import { encodeDedupeRecord, packEntries } from '../../schemas/dedupe/v1.ts'
import { ENRICHED_EVENT_VERSION } from '../../schemas/enriched-event/v1.ts'
import type { Receipt } from '../../schemas/receipt/v1.ts'
import { REJECTED_EVENT_VERSION, type RejectionCode } from '../../schemas/rejected-event/v1.ts'
import type { ProduceRecord, RecordBatch } from '../core/kafka/log.ts'
import { HEADERS, type KafkaNames } from '../core/kafka/topics.ts'
import type { DedupeWindow } from './dedupe/dedupe-window.ts'
import type { Reference } from './enrich.ts'
import {
  type Judgement,
  judgeRecord,
  type KnownEvents,
  quarantine,
  type RawRecord,
  type RecordLimits,
} from './judge-record.ts'
import type { Rules } from './rules.ts'

/** Everything that one transaction writes about a range of one raw partition. */
export interface TransactionContent {
  readonly records: readonly ProduceRecord[]
  /** To be remembered once the transaction is known to be committed; packed as in the changelog. */
  readonly entries: Buffer
  readonly receipt: Receipt
  readonly rejections: ReadonlyMap<RejectionCode, number>
  /** Offset to go on from. */
  readonly next: number
}

export interface ContentContext {
  readonly names: KafkaNames
  readonly partition: number
  /** First raw offset that no receipt covers yet. */
  readonly from: number
  readonly rules: Rules
  readonly window: DedupeWindow
  readonly reference: Reference
  readonly limits: RecordLimits
  /** The record at this offset is set aside unread after so many attempts. */
  readonly quarantined: { readonly offset: number; readonly attempts: number } | null
}

/**
 * Judges every record of the batches and lays out what is written. Moves the window's time on, but remembers no id in
 * it: an id counts as seen only after its transaction is known to be committed.
 *
 * @param batches records of the raw partition in order; those before `from` are done with and left out, one is not
 */
export function transactionContent(
  batches: readonly RecordBatch[],
  context: ContentContext,
): TransactionContent {
  const { names, partition, from, rules, window } = context
  const records: ProduceRecord[] = []
  const remembered: DedupeEntry[] = []
  const rejections = new Map<RejectionCode, number>()
  const known = knownEvents(window)
  let [enriched, rejected, duplicate, control] = [0, 0, 0, 0]
  let next = from
  for (const batch of batches) {
    for (let index = 0; index < batch.length; index++) {
      const offset = batch.offset(index)
      // Handed out a second time, as after a seek: it has its receipt.
      if (offset < next) continue
      // Offsets that carry no record: markers of a transaction that somebody made in the topic.
      control += offset - next
      next = offset + 1
      const raw: RawRecord = {
        partition,
        offset,
        appendTime: batch.timestamp(index),
        value: batch.value(index),
        eventIdHeader: batch.header(index, HEADERS.eventId),
        datasetIdHeader: batch.header(index, HEADERS.datasetId),
      }
      window.advance(raw.appendTime)
      const judgement =
        context.quarantined?.offset === offset
          ? quarantine(raw, context.quarantined.attempts, rules, context.limits)
          : judgeRecord(raw, rules, known, context.reference, context.limits)
      if (judgement.outcome === 'duplicate') {
        duplicate++
        continue
      }
      if (judgement.outcome === 'enriched') enriched++
      else {
        rejected++
        const { code } = judgement.rejected
        rejections.set(code as RejectionCode, (rejections.get(code as RejectionCode) ?? 0) + 1)
      }
      records.push(
        outputRecord(judgement, raw, batch.key(index), batch.header(index, HEADERS.traceparent), names),
      )
      if (judgement.remember) {
        const entry = { ...judgement.remember, time: window.appendTimeMax }
        remembered.push(entry)
        known.add(entry)
      }
    }
  }
  const receipt: Receipt = {
    v: 1,
    partition,
    from,
    to: next - 1,
    enriched,
    rejected,
    duplicate,
    control,
    recipe: rules.recipe,
    control_offset: rules.controlOffset,
  }
  const entries = packEntries(remembered)
  const dedupe = { kind: 'entries', nextOffset: next, appendTimeMax: window.appendTimeMax, entries } as const
  const key = String(partition)
  records.push({ topic: names.dedupe, partition, key, value: encodeDedupeRecord(dedupe) })
  records.push({ topic: names.receipts, partition, key, value: Buffer.from(JSON.stringify(receipt)) })
  return { records, entries, receipt, rejections, next }
}

function outputRecord(
  judgement: Exclude<Judgement, { outcome: 'duplicate' }>,
  raw: RawRecord,
  key: Buffer | null,
  traceparent: string | null,
  names: KafkaNames,
): ProduceRecord {
  const isEnriched = judgement.outcome === 'enriched'
  const { eventId, datasetId, event, recipe } = isEnriched
    ? judgement
    : {
        eventId: judgement.rejected.event_id,
        datasetId: judgement.rejected.dataset_id,
        event: judgement.rejected.event ?? '',
        recipe: judgement.rejected.recipe,
      }
  return {
    topic: isEnriched ? names.enriched : names.rejected,
    partition: raw.partition,
    key,
    value: isEnriched ? judgement.value : Buffer.from(JSON.stringify(judgement.rejected)),
    headers: {
      [HEADERS.eventId]: eventId,
      [HEADERS.datasetId]: datasetId,
      [HEADERS.event]: event,
      [HEADERS.schema]: String(isEnriched ? ENRICHED_EVENT_VERSION : REJECTED_EVENT_VERSION),
      [HEADERS.source]: `${raw.partition}:${raw.offset}`,
      [HEADERS.recipe]: recipe,
      ...(traceparent !== null && { [HEADERS.traceparent]: traceparent }),
    },
  }
}

/** The window, and before it what this transaction takes in. */
function knownEvents(window: DedupeWindow): KnownEvents & { add(entry: DedupeEntry): void } {
  const own = new Map<string, Buffer>()
  return {
    find(key, payload) {
      const taken = own.get(key.toString('latin1'))
      if (taken) return taken.equals(payload) ? 'equal' : 'other'
      return window.find(key, payload)
    },
    add({ key, payload }) {
      own.set(key.toString('latin1'), payload)
    },
  }
}
