import type { EnrichedEvent } from '../../../schemas/enriched-event/v1.ts'
import type { IdentityEvent } from '../../../schemas/identity-record/v1.ts'
import { hasWideNumbers, parseExactly } from '../../core/event/exact-numbers.ts'
import type { RecordBatch } from '../../core/kafka/log.ts'
import { HEADERS } from '../../core/kafka/topics.ts'
import { identityStatement, type Silence } from './identity-statement.ts'
import type { SightingBatch } from './sightings.ts'

/** Why a record of `events.enriched` is not sent on. `seen`: it says nothing that was not said. */
export type Ignored = Silence | 'seen' | 'tick' | 'unreadable'

/** What of a batch is sent on: handled + ignored = its records. */
export interface Selection {
  readonly records: readonly IdentityEvent[]
  readonly ignored: ReadonlyMap<Ignored, number>
}

/** @param from offset of the first record that was not handled before */
export function selectRecords(batch: RecordBatch, from: number, sightings: SightingBatch): Selection {
  const records: IdentityEvent[] = []
  const ignored = new Map<Ignored, number>()
  for (let index = 0; index < batch.length; index++) {
    if (batch.offset(index) < from) continue
    const selected = select(batch, index, sightings)
    if (typeof selected === 'string') ignored.set(selected, (ignored.get(selected) ?? 0) + 1)
    else records.push(selected)
  }
  return { records, ignored }
}

function select(batch: RecordBatch, index: number, sightings: SightingBatch): IdentityEvent | Ignored {
  if (batch.header(index, HEADERS.tick) !== null) return 'tick'
  const value = batch.value(index)
  const event = value === null ? null : readEvent(value)
  if (event === null) return 'unreadable'
  const stated = identityStatement(event)
  if (typeof stated === 'string') return stated
  const news = sightings.news(stated.record)
  if (news === null && !stated.isStatement) return 'seen'
  const exact = value !== null && stated.isStatement && hasWideNumbers(value) ? exactly(value) : stated.record
  const { group_types: _, ...record } = exact
  return news !== null && news.length > 0 ? { ...record, group_types: news } : record
}

/** The same statement with the digits of its numbers; nothing else of most events is looked at so closely. */
function exactly(value: Buffer): IdentityEvent {
  const stated = identityStatement(parseExactly(value) as EnrichedEvent)
  if (typeof stated === 'string') throw new Error('An event says something else when it is read again.')
  return stated.record
}

/** Null for what the enricher did not write. */
function readEvent(value: Buffer): EnrichedEvent | null {
  let parsed: unknown
  try {
    parsed = JSON.parse(value.toString('utf8'))
  } catch {
    return null
  }
  const event = parsed as Partial<EnrichedEvent> | null
  const isEvent =
    typeof event === 'object' &&
    event !== null &&
    typeof event.dataset_id === 'string' &&
    typeof event.event_id === 'string' &&
    typeof event.event === 'string' &&
    Number.isSafeInteger(event.src_partition) &&
    Number.isSafeInteger(event.src_offset) &&
    Number.isFinite(Date.parse(event.event_time ?? '')) &&
    Number.isFinite(Date.parse(event.collector_time ?? '')) &&
    typeof event.properties === 'object' &&
    event.properties !== null
  return isEvent ? ({ ...event, distinct_id: event.distinct_id ?? null } as EnrichedEvent) : null
}
