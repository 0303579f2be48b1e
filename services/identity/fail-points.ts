/**
 * Moments of the stage's three parts at which a test may end the process, in the order they are passed: events are
 * selected into `events.identity`, its records become state, and rows of the outbox are told.
 */
export const IDENTITY_FAIL_POINTS = [
  'after_poll',
  'after_select',
  'after_send',
  'before_offset',
  'before_end',
  'after_end',
  'after_resolve',
  'in_state',
  'after_state',
  'before_topic',
  'after_topic',
  'during_insert',
  'after_insert',
  'after_told',
] as const
export type IdentityFailPoint = (typeof IDENTITY_FAIL_POINTS)[number]
