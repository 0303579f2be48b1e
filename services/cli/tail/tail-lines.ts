import { ENRICHED_EVENT_FIELDS } from '../../../schemas/enriched-event/v1.ts'
import type { Field } from '../../../schemas/field.ts'
import { REJECTED_EVENT_FIELDS } from '../../../schemas/rejected-event/v1.ts'
import { type FilterRecord, filterPredicate } from '../../core/event/filter-evaluator.ts'
import { parseFilter } from '../../core/event/filter-parser.ts'
import type { RecordBatch } from '../../core/kafka/log.ts'
import { HEADERS, type KafkaNames } from '../../core/kafka/topics.ts'

/** A topic to follow, and the columns that a filter may name. */
export interface TailTarget {
  readonly topic: string
  /** Null where values are not flat records: raw events can be followed but not filtered. */
  readonly fields: readonly Field[] | null
}

/** @param name `raw`, `enriched`, `rejected`, or the id of a subscription */
export function tailTarget(name: string, names: KafkaNames): TailTarget {
  if (name === 'raw') return { topic: names.raw, fields: null }
  if (name === 'enriched') return { topic: names.enriched, fields: ENRICHED_EVENT_FIELDS }
  if (name === 'rejected') return { topic: names.rejected, fields: REJECTED_EVENT_FIELDS }
  return { topic: names.subscriber(name), fields: ENRICHED_EVENT_FIELDS }
}

/**
 * A function from a batch to the values to print, one line each. Ticks and tombstones carry no event and are left
 * out; what is not a JSON object is shown as text, never hidden (unless a filter asks for what it cannot have).
 *
 * @param filter null for every record
 * @throws FilterError when the filter has a fault
 */
export function tailLines(target: TailTarget, filter: string | null): (batch: RecordBatch) => string[] {
  const matches = filter === null ? null : filterPredicate(parseFilter(filter, target.fields ?? []))
  return (batch) => {
    const lines: string[] = []
    for (let i = 0; i < batch.length; i++) {
      const value = batch.value(i)
      if (value === null || batch.header(i, HEADERS.tick) !== null) continue
      const text = value.toString('utf8')
      const record = objectOrNull(text)
      if (matches !== null && (record === null || !matches(record))) continue
      lines.push(record === null ? JSON.stringify({ unreadable: text }) : text)
    }
    return lines
  }
}

function objectOrNull(text: string): FilterRecord | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as FilterRecord)
      : null
  } catch {
    return null
  }
}
