import { isUtf8 } from 'node:buffer'
import { PROTOCOLS, type Protocol, type RawEvent, type Refusal } from '../../schemas/raw-event/v1.ts'
import type { JsonObject } from '../../schemas/field.ts'
import { REJECTION_CODES } from '../../schemas/rejected-event/v1.ts'
import { parseFaithfully } from './faithful-json.ts'

/** A raw record that can be read: the collector's envelope, and the client's event or the collector's refusal. */
export interface DecodedRecord {
  readonly envelope: Envelope
  /** The client's event, plain values: for checks and for reading. Null for a refusal. */
  readonly event: JsonObject | null
  /** The same event as it is written: numbers beyond a double as the digits that were sent. */
  readonly faithful: JsonObject | null
  readonly refused: Refusal | null
}

export type Envelope = Pick<
  RawEvent,
  'event_id' | 'dataset_id' | 'collector_time' | 'ip' | 'user_agent' | 'sent_at'
> & { readonly protocol: Protocol }

/** Why a record cannot be read, one sentence. */
export interface Undecodable {
  readonly undecodable: string
}

/** Last instant that every sink can hold: 2299-12-31T23:59:59.999Z, epoch milliseconds. */
export const TIME_MAX_MS = Date.UTC(2300, 0, 1) - 1

/**
 * Reads one value of `events.raw`. Never throws: whatever somebody wrote into the topic has an answer, so that no
 * record can stop its partition.
 */
export function decode(value: Buffer | null): DecodedRecord | Undecodable {
  if (value === null) return { undecodable: 'The record has no value.' }
  if (!isUtf8(value)) return { undecodable: 'The record is not valid UTF-8.' }
  const json = parseFaithfully(value)
  if (json === null) return { undecodable: 'The record is not JSON, or is nested too deeply.' }
  const raw = json.value
  if (!isObject(raw)) return { undecodable: 'The record is not a JSON object.' }
  if (raw.v !== 1) return { undecodable: `The record is not of version 1 but ${shown(raw.v)}.` }
  const { event_id, dataset_id, collector_time, protocol, event, refused } = raw
  if (!isText(event_id)) return { undecodable: 'event_id is not text.' }
  if (!isText(dataset_id)) return { undecodable: 'dataset_id is not text.' }
  if (!isTime(collector_time)) return { undecodable: 'collector_time is not a time in epoch milliseconds.' }
  if (!PROTOCOLS.includes(protocol as Protocol))
    return { undecodable: `protocol is ${shown(protocol)}, which is not known.` }
  if (!isTextOrNull(raw.ip) || !isTextOrNull(raw.user_agent) || !isTextOrNull(raw.sent_at))
    return { undecodable: 'ip, user_agent or sent_at is neither text nor null.' }
  const envelope: Envelope = {
    event_id,
    dataset_id,
    collector_time,
    protocol: protocol as Protocol,
    ip: raw.ip ?? null,
    user_agent: raw.user_agent ?? null,
    sent_at: raw.sent_at ?? null,
  }
  if (isObject(event) && refused === undefined)
    return { envelope, event, faithful: (json.faithful as { event: JsonObject }).event, refused: null }
  if (event === undefined && isRefusal(refused)) return { envelope, event: null, faithful: null, refused }
  return { undecodable: 'The record has neither an event nor a refusal, or both.' }
}

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== ''
}

function isTextOrNull(value: unknown): value is string | null | undefined {
  return value === null || value === undefined || typeof value === 'string'
}

function isTime(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= TIME_MAX_MS
}

function isRefusal(value: unknown): value is Refusal {
  return (
    isObject(value) &&
    (REJECTION_CODES as readonly unknown[]).includes(value.code) &&
    Array.isArray(value.details) &&
    value.details.every((detail) => typeof detail === 'string') &&
    typeof value.payload === 'string' &&
    Number.isSafeInteger(value.payload_bytes) &&
    isTextOrNull(value.event) &&
    isTextOrNull(value.distinct_id)
  )
}

function shown(value: unknown): string {
  return value === undefined ? 'missing' : (JSON.stringify(value)?.slice(0, 40) ?? 'missing')
}
