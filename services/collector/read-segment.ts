import { type JsonItem, keyIn, readJsonEvents } from './read-json-events.ts'
import { sentAtOf } from './read-native.ts'
import { RequestRefusal } from './request-refusal.ts'
import { type EventLimits, isObject, type SentEvent, type SentRequest } from './sent-request.ts'

export const SEGMENT_TYPES = ['track', 'page', 'screen', 'identify', 'group', 'alias'] as const
export type SegmentType = (typeof SEGMENT_TYPES)[number]

type Members = Record<string, unknown>

/**
 * Reads a request as Segment's clients send it: `{batch: […], sentAt?, writeKey?}`, or one message whose type is the
 * path's.
 *
 * @param pathType type named by the path; null for `/v1/batch`, where each message names its own
 */
export function readSegment(
  body: Buffer,
  pathType: SegmentType | null,
  limits: EventLimits,
): SentRequest | RequestRefusal {
  const read = readJsonEvents(body, limits)
  if (read instanceof RequestRefusal) return read
  const { items, envelope } = read
  if (pathType === null && envelope === null)
    return new RequestRefusal('invalid_payload', 'batch is missing.', 'batch')
  const carrier = envelope ?? (read.single ? items[0]!.value : undefined)
  const sentAt = sentAtOf(isObject(carrier) ? carrier.sentAt : undefined, 'sentAt')
  if (sentAt instanceof RequestRefusal) return sentAt
  return { events: items.map((item) => toEvent(item, pathType)), sentAt, key: keyIn(carrier) }
}

function toEvent(item: JsonItem, pathType: SegmentType | null): SentEvent {
  const { bytes, value, fault } = item
  if (!isObject(value)) return { sent: bytes, value, fault, stored: bytes }
  const { writeKey: _, write_key: __, ...message } = value
  const sent =
    Object.hasOwn(value, 'writeKey') || Object.hasOwn(value, 'write_key')
      ? Buffer.from(JSON.stringify(message))
      : bytes
  const type = pathType ?? message.type
  if (!(SEGMENT_TYPES as readonly unknown[]).includes(type))
    return {
      sent,
      value: { event_id: message.messageId },
      stored: sent,
      fault: fault ?? {
        code: type === undefined ? 'missing_field' : 'invalid_value',
        detail: `type is none of ${SEGMENT_TYPES.join(', ')}.`,
      },
    }
  const event = mapMessage(message, type as SegmentType)
  return { sent, value: event, fault, stored: Buffer.from(JSON.stringify(event)) }
}

/**
 * A Segment message as a native event.
 *
 * `type` names the event, except for track, which brings its own name. Values are taken as they are; the checks
 * after this one see the client's own. What has no place in a native event (`type`, `integrations`, `channel`, …) is
 * kept under `context.segment`.
 */
export function mapMessage(message: Members, type: SegmentType): Members {
  const {
    type: _,
    messageId,
    timestamp,
    originalTimestamp,
    sentAt: __,
    userId,
    anonymousId,
    context,
    ...own
  } = message
  const { event, rest } = byType(type, own)
  const kept = { type, ...rest }
  return {
    event_id: messageId,
    distinct_id: userId ?? anonymousId,
    user_id: userId,
    anonymous_id: anonymousId,
    // The client's clock at the event; libraries that also send a corrected time call the uncorrected one original.
    timestamp: originalTimestamp ?? timestamp,
    ...event,
    // A context of another type is refused later, as sent.
    context:
      context === undefined || context === null
        ? { segment: kept }
        : isObject(context)
          ? { ...context, segment: kept }
          : context,
  }
}

/** The members that a type gives its event, and those that are left over. */
function byType(type: SegmentType, own: Members): { event: Members; rest: Members } {
  switch (type) {
    case 'track': {
      const { event, properties, ...rest } = own
      return { event: { event, properties }, rest }
    }
    case 'page':
    case 'screen': {
      const { name, category, properties, ...rest } = own
      // The stock libraries put the name beside the properties or into them; the place in the properties wins.
      const named = isObject(properties ?? {})
        ? {
            ...(name !== undefined && { name }),
            ...(category !== undefined && { category }),
            ...(properties as Members),
          }
        : properties
      return { event: { event: type, properties: named }, rest }
    }
    case 'identify': {
      const { traits, ...rest } = own
      return { event: { event: type, set: traits }, rest }
    }
    case 'group': {
      const { groupId, traits, ...rest } = own
      return { event: { event: type, groups: { group: groupId }, properties: traits }, rest }
    }
    case 'alias': {
      const { previousId, ...rest } = own
      return { event: { event: type, properties: { previous_id: previousId } }, rest }
    }
  }
}
