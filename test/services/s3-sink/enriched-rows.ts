import { ENRICHED_EVENT_FIELDS } from '../../../schemas/enriched-event/v1.ts'
import type { RecordBatch, TopicPartition } from '../../../services/core/kafka/log.ts'

export const PARTITION: TopicPartition = { topic: 'events.enriched', partition: 3 }

/** 2026-01-31T10:00:00Z */
export const LANDED_MS = 1_769_853_600_000

/** An enriched event, every key present, the fields that tests look at set. */
export function enrichedEvent(index: number, given: Readonly<Record<string, unknown>> = {}) {
  const nulls = Object.fromEntries(ENRICHED_EVENT_FIELDS.map(({ name }) => [name, null]))
  const eventTime = new Date(LANDED_MS - 60_000 + index).toISOString()
  return {
    ...nulls,
    schema_version: 1,
    event_id: `event-${index}`,
    dataset_id: 'shop',
    event: 'page_view',
    distinct_id: `person-${index % 7}`,
    event_time: eventTime,
    collector_time: eventTime,
    time_corrected_ms: 0,
    protocol: 'native',
    src_partition: PARTITION.partition,
    src_offset: index,
    recipe: 'recipe-1',
    url: `https://shop.example/item/${index}?q="a,b"`,
    page_title: index % 3 === 0 ? 'Größe, "neu"\nzweite Zeile' : '日本 🎉',
    content_tags: ['a', 'b "quoted", c'],
    revenue_amount: index / 8,
    is_bot: index % 2 === 0,
    properties: { index, nested: { list: [1, null, 'x'] }, big: 12345678901234 },
    ...given,
  }
}

export interface SourceRecord {
  readonly value: Buffer | null
  readonly headers: Readonly<Record<string, string>>
  readonly timestamp?: number
}

export function enrichedRecord(index: number, given: Readonly<Record<string, unknown>> = {}): SourceRecord {
  const event = enrichedEvent(index, given)
  return {
    value: Buffer.from(JSON.stringify(event)),
    headers: {
      event_id: event.event_id,
      dataset_id: event.dataset_id,
      event: event.event,
      src: `${PARTITION.partition}:${index}`,
      recipe: event.recipe,
    },
  }
}

export const tickRecord = (timestamp: number): SourceRecord => ({
  value: Buffer.from('{}'),
  headers: { tick: '1' },
  timestamp,
})

/** Records as one batch, at consecutive offsets. */
export function recordBatch(records: readonly SourceRecord[], firstOffset = 0): RecordBatch {
  return {
    ...PARTITION,
    length: records.length,
    byteLength: records.reduce((sum, { value }) => sum + (value?.length ?? 0), 0),
    offset: (index) => firstOffset + index,
    timestamp: (index) => records[index]!.timestamp ?? LANDED_MS + index,
    key: () => null,
    value: (index) => records[index]!.value,
    header: (index, name) => records[index]!.headers[name] ?? null,
  }
}
