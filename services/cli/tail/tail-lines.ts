import { type FilterRecord, filterPredicate } from '../../core/event/filter-evaluator.ts'
import { parseFilter } from '../../core/event/filter-parser.ts'
import type { RecordBatch } from '../../core/kafka/log.ts'
import { HEADERS } from '../../core/kafka/topics.ts'
import type { TailTarget } from './tail-target.ts'

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
