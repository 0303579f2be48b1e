import type { JsonFault, JsonLimits } from '../core/event/scan-json.ts'

/** What a protocol adapter makes of a request: events in the shape of the native protocol, in the order sent. */
export interface SentRequest {
  readonly events: readonly SentEvent[]
  readonly sentAt: string | null
  /** Write key that the body carries, for clients that cannot set headers. */
  readonly key: string | undefined
}

export interface SentEvent {
  /** The event's own bytes as sent: what limits are measured on, and the payload when it is refused. */
  readonly sent: Buffer
  /** The event in native shape; undefined when it could not be read. */
  readonly value: unknown
  /** Found while its bytes were read; null when there was none. */
  readonly fault: JsonFault | null
  /** JSON of the event in native shape, to be stored: `sent` itself where the client wrote it so. */
  readonly stored: Buffer
}

export interface EventLimits extends JsonLimits {
  readonly eventsMax: number
  readonly eventBytesMax: number
  readonly idBytesMax: number
  /** Of an event that carries a chunk of a recording, which has no other limit of {@link JsonLimits} but depth. */
  readonly recordingChunkBytesMax: number
}

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
