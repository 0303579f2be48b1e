/** Moments of a transaction at which a test may end the process, in the order they are passed. */
export const ENRICHER_FAIL_POINTS = [
  'after_poll',
  'after_judge',
  'after_send',
  'before_offset',
  'before_end',
  'after_end',
] as const
export type EnricherFailPoint = (typeof ENRICHER_FAIL_POINTS)[number]
