import type { RejectionCode } from '../../schemas/rejected-event/v1.ts'
import { distinctIdOf } from '../core/event/raw-event.ts'
import { type EventLimits, isObject, type SentEvent } from './sent-request.ts'
import { SNAPSHOT_EVENT } from './snapshot-limits.ts'

/** Why an event is not taken; null when it is. */
export type Refusal = { readonly code: RejectionCode; readonly detail: string } | null

/** What becomes of one event, with what of it could be read. */
export interface Verdict {
  /** Null when the event is accepted. */
  readonly refusal: Refusal
  /** The client's own; null when there is none that can be used. */
  readonly eventId: string | null
  readonly event: string | null
  readonly distinctId: string | null
}

const IDS = ['distinct_id', 'anonymous_id', 'user_id', 'session_id'] as const

/**
 * Decides whether an event goes on, by what the collector itself needs of it: that it is bounded, can be read, has
 * a name, and that the members which route and identify it are text of a bounded length. Every other member is the
 * enricher's to check.
 */
export function judgeEvent(sent: SentEvent, limits: EventLimits): Verdict {
  const { value } = sent
  const refusal = refusalOf(sent, limits)
  if (!isObject(value)) return { refusal, eventId: null, event: null, distinctId: null }
  if (refusal === null)
    return {
      refusal,
      eventId: (value.event_id as string | null | undefined) ?? null,
      event: value.event as string,
      distinctId: distinctIdOf(value),
    }
  const readable = (name: string) => {
    const text = value[name]
    return typeof text === 'string' && textFault(name, text, limits) === null ? text : null
  }
  return {
    refusal,
    eventId: readable('event_id'),
    event: readable('event'),
    distinctId: readable('distinct_id') ?? readable('user_id') ?? readable('anonymous_id'),
  }
}

function refusalOf({ sent, stored, value, fault }: SentEvent, limits: EventLimits): Refusal {
  if (fault?.code === 'too_deep') return fault
  // Serialising may make an event longer: `1e20` is written out. What is stored must fit into a record, too.
  const bytes = Math.max(sent.length, stored.length)
  const isSnapshot = isObject(value) && value.event === SNAPSHOT_EVENT
  const bytesMax = isSnapshot ? limits.recordingChunkBytesMax : limits.eventBytesMax
  if (bytes > bytesMax)
    return { code: 'too_large', detail: `The event has ${bytes} bytes; at most ${bytesMax} are taken.` }
  if (fault !== null) return fault
  if (!isObject(value)) return { code: 'invalid_type', detail: 'The event is not an object.' }
  return nameRefusal(value.event, limits) ?? idRefusal(value, limits) ?? timestampRefusal(value.timestamp)
}

function nameRefusal(name: unknown, limits: EventLimits): Refusal {
  if (name === undefined || name === null) return { code: 'missing_field', detail: 'event is missing.' }
  if (typeof name !== 'string') return { code: 'invalid_type', detail: 'event is not text.' }
  return textFault('event', name, limits)
}

function idRefusal(event: Record<string, unknown>, limits: EventLimits): Refusal {
  const { event_id } = event
  if (event_id !== undefined && event_id !== null) {
    if (typeof event_id !== 'string') return { code: 'invalid_type', detail: 'event_id is not text.' }
    const fault = textFault('event_id', event_id, limits)
    if (fault !== null) return fault
  }
  for (const name of IDS) {
    const id = event[name]
    if (id === undefined || id === null || id === '') continue
    if (typeof id !== 'string') return { code: 'invalid_type', detail: `${name} is not text.` }
    const fault = textFault(name, id, limits)
    if (fault !== null) return fault
  }
  return null
}

function timestampRefusal(timestamp: unknown): Refusal {
  if (timestamp === undefined || timestamp === null) return null
  if (typeof timestamp === 'string' || typeof timestamp === 'number') return null
  return { code: 'invalid_type', detail: 'timestamp is neither text nor a number.' }
}

/** What is wrong with a name or id, being text; null when nothing is. */
export function textFault(name: string, text: string, limits: EventLimits): Refusal {
  if (text === '') return { code: 'invalid_value', detail: `${name} is empty.` }
  // Characters take one to three bytes per UTF-16 unit: short text needs no counting.
  if (text.length * 3 > limits.idBytesMax && Buffer.byteLength(text) > limits.idBytesMax)
    return {
      code: name === 'event' ? 'text_too_long' : 'id_too_long',
      detail: `${name} has ${Buffer.byteLength(text)} bytes; at most ${limits.idBytesMax} are taken.`,
    }
  if (!text.isWellFormed())
    return { code: 'invalid_utf8', detail: `${name} has half a surrogate pair, which is no character.` }
  return null
}
