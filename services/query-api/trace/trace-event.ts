import type { ControlView } from '../../core/control/control-view.ts'
import type { KafkaNames } from '../../core/kafka/topics.ts'
import type { Ask } from '../query/ask.ts'
import type { Question } from '../query/question.ts'
import type { FindInDelivery } from './delivery-search.ts'
import { concerning, type EventTrace, traceOf } from './event-trace.ts'
import type { FindInLog } from './log-search.ts'
import { flatRecord, type TraceTable, traceSql } from './trace-query.ts'

/** The places that an event may be in. */
export interface TracePlaces {
  readonly ask: Ask
  readonly control: Pick<ControlView, 'snapshot'>
  readonly names: KafkaNames
  readonly findInLog: FindInLog
  readonly findInDelivery: FindInDelivery
}

/** Where an event is in every place it went to, or why it is not there. */
export async function traceEvent(
  places: TracePlaces,
  question: Question,
  eventId: string,
  distinctId: string | null,
): Promise<EventTrace> {
  const { ask, names } = places
  const { dataset, signal } = question
  const { subscriptions, deliveries } = places.control.snapshot
  const asked = concerning(
    dataset,
    [...subscriptions.values()].map(({ object }) => object),
  )
  const stored = [
    ...(await storedRows(ask, question, 'events', eventId)),
    ...(await storedRows(ask, question, 'rejected_events', eventId)),
  ]
  const known = stored[0]?.record.distinct_id
  const inLog = await places.findInLog({
    dataset: dataset.id,
    eventId,
    distinctId: typeof known === 'string' ? known : distinctId,
    topics: asked.map(({ id }) => names.subscriber(id)),
    signal,
  })
  return traceOf({
    dataset,
    eventId,
    names,
    stored,
    inLog,
    subscriptions: asked,
    deliveries: [...deliveries.values()].map(({ object }) => object),
    findInDelivery: (delivery, place) => places.findInDelivery(delivery, place, signal),
  })
}

async function storedRows(ask: Ask, question: Question, table: TraceTable, eventId: string) {
  const rows = await ask<Record<string, unknown>>(question, (bindings) =>
    traceSql(table, question.dataset.id, eventId, bindings),
  )
  return rows.map((row) => ({ table, record: flatRecord(table, row) }))
}
