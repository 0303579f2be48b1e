/**
 * A rate with a burst. What is taken is counted after it is known, so the bucket may go below zero by the last
 * taking; then nobody gets anything until the debt is paid. Over any time t it gives at most rate × t + burst and the
 * last taking, whatever the sizes are.
 *
 * Times are monotonic milliseconds, and may stand still; an earlier time than before gives nothing back.
 */
export class TokenBucket {
  readonly ratePerSecond: number
  readonly burst: number
  #tokens: number
  #atMs: number

  /** @param burst tokens of a full bucket, and at first */
  constructor(ratePerSecond: number, burst: number, nowMs: number) {
    this.ratePerSecond = ratePerSecond
    this.burst = burst
    this.#tokens = burst
    this.#atMs = nowMs
  }

  /** Tokens there; below zero a debt. */
  tokens(nowMs: number): number {
    if (nowMs > this.#atMs) {
      this.#tokens = Math.min(this.burst, this.#tokens + ((nowMs - this.#atMs) / 1000) * this.ratePerSecond)
      this.#atMs = nowMs
    }
    return this.#tokens
  }

  take(count: number, nowMs: number): void {
    this.#tokens = this.tokens(nowMs) - count
  }

  /** Whole seconds after which something is there again, at least 1: what Retry-After says. */
  waitSeconds(nowMs: number): number {
    const missing = 1 - this.tokens(nowMs)
    return Math.max(1, Math.ceil(missing / this.ratePerSecond))
  }
}
