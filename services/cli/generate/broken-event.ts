import type { RejectionCode } from '../../../schemas/rejected-event/v1.ts'

/** An event that the pipeline must refuse, and with what. */
export interface BrokenEvent {
  readonly expectedCode: RejectionCode
  readonly value: unknown
}

type Members = Readonly<Record<string, unknown>>

/** Deeper than the 64 levels that the collector takes. */
const TOO_DEEP_LEVELS = 80
/** Longer than the 200 bytes that an event name may have. */
const NAME_BYTES_TOO_MANY = 300

/**
 * The ways to be wrong, each made from a good event. All but `not_an_object` keep the event's id, so that a client's
 * retry of the request is recognised; that one gets its id from the request's Idempotency-Key.
 */
export const BROKEN_KINDS: Readonly<Record<string, (event: Members) => BrokenEvent>> = {
  missing_event_name: ({ event: _, ...rest }) => ({ expectedCode: 'missing_field', value: rest }),
  event_name_not_text: (event) => ({ expectedCode: 'invalid_type', value: { ...event, event: 42 } }),
  event_name_too_long: (event) => ({
    expectedCode: 'text_too_long',
    value: { ...event, event: 'x'.repeat(NAME_BYTES_TOO_MANY) },
  }),
  properties_not_object: (event) => ({
    expectedCode: 'invalid_type',
    value: { ...event, properties: 'colour=green' },
  }),
  distinct_id_not_text: (event) => ({
    expectedCode: 'invalid_type',
    value: { ...event, distinct_id: { id: 7 } },
  }),
  too_deep: (event) => ({
    expectedCode: 'too_deep',
    value: { ...event, properties: nested(TOO_DEEP_LEVELS) },
  }),
  not_an_object: (event) => ({ expectedCode: 'invalid_type', value: `page_view ${event.event_id}` }),
}
export const BROKEN_KIND_NAMES = Object.keys(BROKEN_KINDS)

function nested(levels: number): Members {
  let value: Members = { bottom: true }
  for (let i = 1; i < levels; i++) value = { deeper: value }
  return value
}
