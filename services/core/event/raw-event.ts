import { isUtf8 } from 'node:buffer'
import { type ClientEvent, PROTOCOLS, type RawEvent, type Refusal } from '../../../schemas/raw-event/v1.ts'
import { REJECTION_CODES } from '../../../schemas/rejected-event/v1.ts'
import { HEADERS } from '../kafka/topics.ts'
import { NO_LIMITS, scanJson } from './scan-json.ts'

/** What all raw events of one request share. */
export type RequestEnvelope = Pick<
  RawEvent,
  'dataset_id' | 'collector_time' | 'protocol' | 'ip' | 'user_agent' | 'sent_at'
>

export interface RawEventEncoder {
  /**
   * The value of a raw record around an event that is JSON already: its bytes are copied, not parsed, so numbers,
   * duplicate keys and escapes stay as the client wrote them.
   *
   * @param eventJson one JSON object in UTF-8; the caller has checked that it parses
   */
  event(eventId: string, eventJson: Uint8Array): Buffer
  refused(eventId: string, refusal: Refusal): Buffer
}

/** Serialises the envelope once per request; each event then costs one copy. */
export function rawEventEncoder(envelope: RequestEnvelope): RawEventEncoder {
  const { dataset_id, collector_time, protocol, ip, user_agent, sent_at } = envelope
  const shared = JSON.stringify({ dataset_id, collector_time, protocol, ip, user_agent, sent_at }).slice(
    1,
    -1,
  )
  const eventTail = `,${shared},"event":`
  const refusedTail = `,${shared},"refused":`
  return {
    event(eventId, eventJson) {
      const head = `{"v":1,"event_id":${JSON.stringify(eventId)}${eventTail}`
      const headBytes = Buffer.byteLength(head)
      const value = Buffer.allocUnsafe(headBytes + eventJson.length + 1)
      value.write(head, 0)
      value.set(eventJson, headBytes)
      value[value.length - 1] = 0x7d
      return value
    },
    refused(eventId, refusal) {
      return Buffer.from(
        `{"v":1,"event_id":${JSON.stringify(eventId)}${refusedTail}${JSON.stringify(refusal)}}`,
      )
    },
  }
}

/** Headers of a record in `events.raw`. */
export function rawHeaders(
  eventId: string,
  datasetId: string,
  traceparent: string,
): Readonly<Record<string, string>> {
  return {
    [HEADERS.eventId]: eventId,
    [HEADERS.datasetId]: datasetId,
    [HEADERS.traceparent]: traceparent,
  }
}

/** Who did it: `distinct_id`, else the known user, else the visitor. Null when none of them is non-empty text. */
export function distinctIdOf(
  event: Pick<ClientEvent, 'distinct_id' | 'user_id' | 'anonymous_id'>,
): string | null {
  return textOrNull(event.distinct_id) ?? textOrNull(event.user_id) ?? textOrNull(event.anonymous_id)
}

/** Undecodable is a value, not an error: whatever lies in the topic, its offset moves on. */
export type DecodedRawEvent =
  | { readonly ok: true; readonly raw: RawEvent }
  | { readonly ok: false; readonly detail: string }

/**
 * Reads the value of a record in `events.raw`. The envelope is checked completely; of `event` only that it is an
 * object, since its members are the client's own. Never throws.
 */
export function decodeRawEvent(value: Uint8Array | null): DecodedRawEvent {
  if (value === null) return undecodable('The record has no value.')
  if (!isUtf8(value)) return undecodable('The value is not UTF-8.')
  const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
  // What JSON.parse takes but nothing after it can write again as it was: too deep, half a surrogate, overflow.
  const { fault } = scanJson(bytes, 0, bytes.length, NO_LIMITS)
  if (fault !== null) return undecodable(fault.detail)
  let parsed: unknown
  try {
    parsed = JSON.parse(bytes.toString('utf8'))
  } catch (error) {
    return undecodable(`The value is not JSON: ${(error as Error).message}.`)
  }
  const wrong = envelopeFault(parsed)
  return wrong === null ? { ok: true, raw: parsed as RawEvent } : undecodable(wrong)
}

function undecodable(detail: string): DecodedRawEvent {
  return { ok: false, detail }
}

/** What is wrong with the envelope, one sentence; null when nothing is. */
function envelopeFault(parsed: unknown): string | null {
  if (!isObject(parsed)) return 'The value is not an object.'
  if (parsed.v !== 1) return `The version is ${JSON.stringify(parsed.v)?.slice(0, 20)}, not 1.`
  for (const name of ['event_id', 'dataset_id'])
    if (typeof parsed[name] !== 'string' || parsed[name] === '') return `${name} is not text.`
  const time = parsed.collector_time
  if (typeof time !== 'number' || !Number.isSafeInteger(time) || time < 0 || time > 8.64e15)
    return 'collector_time is not a time in epoch milliseconds.'
  if (!(PROTOCOLS as readonly unknown[]).includes(parsed.protocol)) return 'protocol is not one we know.'
  for (const name of ['ip', 'user_agent', 'sent_at'])
    if (parsed[name] !== null && typeof parsed[name] !== 'string') return `${name} is neither text nor null.`
  if ((parsed.event === undefined) === (parsed.refused === undefined))
    return 'Exactly one of event and refused must be there.'
  if (parsed.event !== undefined) return isObject(parsed.event) ? null : 'event is not an object.'
  return refusalFault(parsed.refused)
}

function refusalFault(refused: unknown): string | null {
  if (!isObject(refused)) return 'refused is not an object.'
  const { code, details, payload, payload_bytes, event, distinct_id } = refused
  if (!(REJECTION_CODES as readonly unknown[]).includes(code)) return 'refused.code is not one we know.'
  if (!Array.isArray(details) || !details.every((detail) => typeof detail === 'string'))
    return 'refused.details is not a list of texts.'
  if (typeof payload !== 'string') return 'refused.payload is not text.'
  if (!Number.isSafeInteger(payload_bytes)) return 'refused.payload_bytes is not a whole number.'
  if (event !== null && typeof event !== 'string') return 'refused.event is neither text nor null.'
  if (distinct_id !== null && typeof distinct_id !== 'string')
    return 'refused.distinct_id is neither text nor null.'
  return null
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}
