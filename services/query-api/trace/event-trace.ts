import type { Dataset, Delivery, Subscription } from '../../../schemas/control/v1.ts'
import type { JsonObject } from '../../../schemas/field.ts'
import { compileSelection } from '../../core/event/selection.ts'
import type { KafkaNames } from '../../core/kafka/topics.ts'
import type { DeliveredIn, DeliveredPlace } from './delivery-search.ts'
import type { LogHit, LogSearchResult } from './log-search.ts'
import type { TraceTable } from './trace-query.ts'

/** What was decided about one raw record. */
export type Verdict = 'enriched' | 'rejected' | 'duplicate' | 'waiting' | 'unknown'

export interface Position {
  readonly topic: string
  readonly partition: number
  readonly offset: number
}

/** One arrival of the event at the collector, and everything that came of it. */
export interface Arrival {
  readonly raw: Position
  readonly verdict: Verdict
  readonly explanation: string
  /** The record in `events.enriched` or `events.rejected`; null when it is not among the latest ones. */
  readonly log: Position | null
  /** The row in ClickHouse, and the table it lies in. */
  readonly clickhouse: { readonly table: TraceTable; readonly row: JsonObject } | null
  readonly deliveries: readonly {
    readonly delivery: string
    readonly status: 'delivered' | 'not_yet' | 'not_asked_for'
    readonly place: DeliveredIn | null
  }[]
  readonly subscriptions: readonly {
    readonly subscription: string
    readonly topic: string
    readonly status: 'written' | 'entitled' | 'not_asked_for'
    readonly position: Position | null
  }[]
}

export interface EventTrace {
  readonly event_id: string
  readonly dataset_id: string
  readonly explanation: string
  readonly arrivals: readonly Arrival[]
  /** Whether every record that Kafka still has was looked at. */
  readonly kafka_searched_completely: boolean
}

export interface TraceInput {
  readonly dataset: Dataset
  readonly eventId: string
  readonly names: KafkaNames
  readonly stored: readonly { readonly table: TraceTable; readonly record: JsonObject }[]
  readonly inLog: LogSearchResult
  /** Of every account; those of others are left out here. */
  readonly subscriptions: readonly Subscription[]
  readonly deliveries: readonly Delivery[]
  readonly findInDelivery: (delivery: Delivery, place: DeliveredPlace) => Promise<DeliveredIn | null>
}

/** Subscriptions and deliveries that may see this dataset at all. */
export function concerning<T extends Subscription | Delivery>(dataset: Dataset, asked: readonly T[]): T[] {
  return asked.filter(({ account, datasets }) => account === dataset.account && datasets.includes(dataset.id))
}

/** Puts together what ClickHouse, Kafka and the bucket say of one event id. */
export async function traceOf(input: TraceInput): Promise<EventTrace> {
  const { names, inLog, stored } = input
  const sources = new Map<string, { partition: number; offset: number }>()
  for (const { src } of inLog.hits) sources.set(`${src.partition}:${src.offset}`, src)
  for (const { record } of stored) {
    const [partition, offset] = [Number(record.src_partition), Number(record.src_offset)]
    sources.set(`${partition}:${offset}`, { partition, offset })
  }
  const arrivals: Arrival[] = []
  const ordered = [...sources.values()].sort((a, b) => a.partition - b.partition || a.offset - b.offset)
  for (const src of ordered) {
    const hits = inLog.hits.filter(
      (hit) => hit.src.partition === src.partition && hit.src.offset === src.offset,
    )
    const row = stored.find(
      ({ record }) =>
        Number(record.src_partition) === src.partition && Number(record.src_offset) === src.offset,
    )
    arrivals.push(await arrivalOf(input, { topic: names.raw, ...src }, hits, row ?? null))
  }
  return {
    event_id: input.eventId,
    dataset_id: input.dataset.id,
    explanation: summary(arrivals, inLog.complete),
    arrivals,
    kafka_searched_completely: inLog.complete,
  }
}

async function arrivalOf(
  input: TraceInput,
  raw: Position,
  hits: readonly LogHit[],
  row: TraceInput['stored'][number] | null,
): Promise<Arrival> {
  const { names, inLog } = input
  const enriched = hits.find(({ topic }) => topic === names.enriched)
  const rejected = hits.find(({ topic }) => topic === names.rejected)
  const isEnriched = enriched !== undefined || row?.table === 'events'
  const isRejected = rejected !== undefined || row?.table === 'rejected_events'
  const decided = inLog.decidedTo.get(raw.partition)
  const verdict: Verdict = isEnriched
    ? 'enriched'
    : isRejected
      ? 'rejected'
      : decided === undefined
        ? 'unknown'
        : raw.offset < decided
          ? 'duplicate'
          : 'waiting'
  const found = enriched ?? rejected ?? null
  return {
    raw,
    verdict,
    explanation: explanationOf(verdict, row),
    log: found === null ? null : positionOf(found),
    clickhouse: row === null ? null : { table: row.table, row: row.record },
    deliveries: isEnriched || isRejected ? await deliveriesOf(input, raw, isEnriched, row) : [],
    subscriptions: isEnriched ? subscriptionsOf(input, hits, row) : [],
  }
}

async function deliveriesOf(
  input: TraceInput,
  raw: Position,
  isEnriched: boolean,
  row: TraceInput['stored'][number] | null,
): Promise<Arrival['deliveries']> {
  const source = isEnriched ? 'enriched' : 'rejected'
  const topic = isEnriched ? input.names.enriched : input.names.rejected
  const found: Arrival['deliveries'][number][] = []
  for (const delivery of concerning(input.dataset, input.deliveries)) {
    if ((delivery.source ?? 'enriched') !== source) continue
    if (row !== null && !compileSelection(delivery).matches(row.record)) {
      found.push({ delivery: delivery.id, status: 'not_asked_for', place: null })
      continue
    }
    // Without the row the event's time is not known, and every object of the batch may hold it.
    const time = row?.record[isEnriched ? 'event_time' : 'collector_time']
    const place = await input.findInDelivery(delivery, {
      dataset: input.dataset.id,
      topic,
      srcPartition: raw.partition,
      srcOffset: raw.offset,
      timeMs: typeof time === 'string' ? Date.parse(time) : null,
    })
    found.push({ delivery: delivery.id, status: place === null ? 'not_yet' : 'delivered', place })
  }
  return found
}

function subscriptionsOf(
  input: TraceInput,
  hits: readonly LogHit[],
  row: TraceInput['stored'][number] | null,
): Arrival['subscriptions'] {
  return concerning(input.dataset, input.subscriptions).map((subscription) => {
    const topic = input.names.subscriber(subscription.id)
    const hit = hits.find((one) => one.topic === topic)
    const isAsked = row === null || compileSelection(subscription).matches(row.record)
    const status = hit !== undefined ? 'written' : isAsked ? 'entitled' : 'not_asked_for'
    return {
      subscription: subscription.id,
      topic,
      status,
      position: hit === undefined ? null : positionOf(hit),
    }
  })
}

function positionOf({ topic, partition, offset }: LogHit): Position {
  return { topic, partition, offset }
}

function explanationOf(verdict: Verdict, row: TraceInput['stored'][number] | null): string {
  switch (verdict) {
    case 'enriched':
      return row === null
        ? 'It was accepted and enriched; ClickHouse does not have it yet.'
        : 'It was accepted and enriched, and ClickHouse has it.'
    case 'rejected':
      return row === null
        ? 'It was refused; ClickHouse does not have the reason yet.'
        : `It was refused by the ${row.record.stage}: ${row.record.code}.`
    case 'duplicate':
      return 'It repeats an event that arrived before and was removed.'
    case 'waiting':
      return 'It was accepted and waits for the enricher.'
    case 'unknown':
      return 'It was accepted; no receipt tells what the enricher did with it.'
  }
}

function summary(arrivals: readonly Arrival[], complete: boolean): string {
  if (arrivals.length === 0)
    return complete
      ? 'No event of this id was ever accepted, as far as Kafka and ClickHouse reach back.'
      : 'No event of this id is in ClickHouse or among the latest records in Kafka. It was never accepted, or it is ' +
          'older than what was searched and repeated an event that arrived before.'
  const count = (verdict: Verdict) => arrivals.filter((arrival) => arrival.verdict === verdict).length
  const parts = (['enriched', 'rejected', 'duplicate', 'waiting', 'unknown'] as const)
    .filter((verdict) => count(verdict) > 0)
    .map((verdict) => `${count(verdict)} ${verdict}`)
  return `It arrived ${arrivals.length === 1 ? 'once' : `${arrivals.length} times`}: ${parts.join(', ')}.`
}
