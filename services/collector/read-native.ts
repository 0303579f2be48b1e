import type { BodyFormat } from './content.ts'
import { type JsonItem, keyIn, readJsonEvents, readNdjsonEvents } from './read-json-events.ts'
import { RequestRefusal } from './request-refusal.ts'
import { type EventLimits, isObject, type SentEvent, type SentRequest } from './sent-request.ts'

/** `sent_at` stands in every record of its request, so it is kept short. */
const SENT_AT_BYTES_MAX = 100

/**
 * Reads a request of the native protocol: one event, an array, `{batch: […], sent_at?, write_key?}`, or NDJSON.
 *
 * @see docs/collector-api.md
 */
export function readNative(
  body: Buffer,
  format: BodyFormat,
  limits: EventLimits,
): SentRequest | RequestRefusal {
  const read = format === 'json' ? readJsonEvents(body, limits) : readNdjsonEvents(body, limits)
  if (read instanceof RequestRefusal) return read
  const { items, envelope } = read
  const sentAt = sentAtOf(envelope?.sent_at)
  if (sentAt instanceof RequestRefusal) return sentAt
  const only = read.single ? items[0]! : null
  const key = keyIn(envelope ?? only?.value)
  const events = only !== null && key !== undefined ? [withoutKey(only)] : items.map(asSent)
  return { events, sentAt, key }
}

function asSent({ bytes, value, fault }: JsonItem): SentEvent {
  return { sent: bytes, value, fault, stored: bytes }
}

/** A key that stands in the event itself is no part of the event: it must not be stored, nor shown when refused. */
function withoutKey(item: JsonItem): SentEvent {
  if (!isObject(item.value)) return asSent(item)
  const { write_key: _, writeKey: __, ...value } = item.value
  const stored = Buffer.from(JSON.stringify(value))
  return { sent: stored, value, fault: item.fault, stored }
}

/** Exactly as sent, as text; a number is written as JSON writes it. */
export function sentAtOf(value: unknown, attr = 'sent_at'): string | null | RequestRefusal {
  if (value === undefined || value === null) return null
  const text = typeof value === 'number' ? JSON.stringify(value) : value
  if (typeof text !== 'string' || Buffer.byteLength(text) > SENT_AT_BYTES_MAX || !text.isWellFormed())
    return new RequestRefusal('invalid_payload', `${attr} is not a time.`, attr)
  return text
}
