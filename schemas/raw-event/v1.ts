import type { JsonObject } from '../field.ts'
import type { RejectionCode } from '../rejected-event/v1.ts'

/** The envelope that the collector puts around every event of an accepted request: the value of `events.raw`. */
export interface RawEvent {
  readonly v: 1
  readonly event_id: string
  readonly dataset_id: string
  /** Epoch milliseconds. */
  readonly collector_time: number
  readonly protocol: Protocol
  /** Where the request came from: client address as text, and its user agent. An event's own context wins over both. */
  readonly ip: string | null
  readonly user_agent: string | null
  /** When the client says it sent the request, exactly as sent. */
  readonly sent_at: string | null
  /** Present for an event that can be read: exactly one of `event` and `refused`. */
  readonly event?: ClientEvent
  /** Present for an event that the collector refused inside an accepted request. */
  readonly refused?: Refusal
}

export interface Refusal {
  readonly code: RejectionCode
  readonly details: readonly string[]
  /** The event as sent, cut at a character boundary. */
  readonly payload: string
  readonly payload_bytes: number
  readonly event: string | null
  readonly distinct_id: string | null
}

export const PROTOCOLS = ['native', 'segment', 'pixel', 'access_log'] as const
export type Protocol = (typeof PROTOCOLS)[number]

/**
 * An event in the shape of the native protocol: what every protocol adapter of the collector produces and the
 * enricher reads. Nothing but `event` is required, unknown keys are kept, and values are what the client sent:
 * the enricher checks types, so every member is read as unknown there.
 */
export interface ClientEvent {
  readonly event: string
  readonly distinct_id?: string
  readonly anonymous_id?: string
  readonly user_id?: string
  readonly session_id?: string
  /** ISO 8601 text or epoch milliseconds. */
  readonly timestamp?: string | number
  /** Milliseconds before the request was sent, for clients that cannot trust their clock. */
  readonly offset_ms?: number
  readonly properties?: JsonObject
  readonly groups?: JsonObject
  readonly set?: JsonObject
  readonly set_once?: JsonObject
  readonly context?: ClientContext
  /** `{start, index, first_url, first_referrer, visitor_first_seen}`: sessionisation as the client did it. */
  readonly session?: JsonObject
  /** `{engaged_seconds, page_view_id, video_id}` */
  readonly engagement?: JsonObject
  /** `{url, title, authors, section, tags, published}` */
  readonly content?: JsonObject
  /** `{amount, currency}` */
  readonly revenue?: JsonObject
}

/** Segment's names where Segment has one, so that its clients' context passes through as it is. */
export interface ClientContext {
  /** `{url, title, referrer}` */
  readonly page?: JsonObject
  /** `{name}` */
  readonly screen_view?: JsonObject
  /** `{name, version}` */
  readonly app?: JsonObject
  /** `{name, version}` */
  readonly library?: JsonObject
  /** `{source, medium, name, term, content}` */
  readonly campaign?: JsonObject
  /** `{width, height, innerWidth, innerHeight}` */
  readonly screen?: JsonObject
  readonly locale?: string
  readonly timezone?: string
  readonly ip?: string
  readonly userAgent?: string
}
