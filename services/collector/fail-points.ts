/** Moments of a request at which a test may end the process, in the order they are passed. */
export const COLLECTOR_FAIL_POINTS = ['during_body', 'before_keep', 'after_keep', 'before_answer'] as const
export type CollectorFailPoint = (typeof COLLECTOR_FAIL_POINTS)[number]
