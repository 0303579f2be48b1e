/** Moments of a transaction at which a test may end the process, in the order they are passed. */
export const ROUTER_FAIL_POINTS = [
  'after_poll',
  'after_route',
  'after_send',
  'before_offset',
  'before_end',
  'after_end',
] as const
export type RouterFailPoint = (typeof ROUTER_FAIL_POINTS)[number]
