import { createHash } from 'node:crypto'
import { isPersonal, maskPii, maskText } from './mask-pii.ts'

/** What tells rows apart, places them and times them. */
const KEPT =
  /^(event_id|dataset_id|event|recipe|schema_version|schema|protocol|event_schema|stage|code|.*_time|sent_at|session_start|visitor_first_seen)$/
const IDS = new Set(['distinct_id', 'user_id', 'anonymous_id'])

/**
 * A row without what tells who a person is. Columns of personal things are null, other text and properties lose what looks
 * personal. An id that is an address or a number becomes `masked:` and a hash, the same for the same id of the dataset, so
 * that people can still be counted.
 */
export function maskRow(row: Readonly<Record<string, unknown>>): Record<string, unknown> {
  const masked: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(row)) masked[name] = maskedValue(name, value, row.dataset_id)
  return masked
}

function maskedValue(name: string, value: unknown, dataset: unknown): unknown {
  if (value === null || KEPT.test(name)) return value
  if (IDS.has(name) && typeof value === 'string') {
    if (maskText(value) === value) return value
    return `masked:${createHash('sha256').update(`${dataset}\0${value}`).digest('hex').slice(0, 16)}`
  }
  return isPersonal(name) || name === 'geo_city' ? null : maskPii(value)
}
