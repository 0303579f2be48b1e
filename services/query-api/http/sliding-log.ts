const SLOTS_AT_FIRST = 8

/** The times of the last requests, oldest first, in a ring that grows to the limit and no further. */
export class SlidingLog {
  readonly #slotsMax: number
  #times: Float64Array
  #first = 0
  #count = 0

  /** @param slotsMax requests that are kept at most */
  constructor(slotsMax: number) {
    this.#slotsMax = slotsMax
    this.#times = new Float64Array(Math.min(SLOTS_AT_FIRST, slotsMax))
  }

  /** Slots that it takes in memory, of 8 bytes each. */
  get slots(): number {
    return this.#times.length
  }
  get count(): number {
    return this.#count
  }
  /** Undefined when it is empty. */
  get oldest(): number | undefined {
    return this.#count === 0 ? undefined : this.#times[this.#first]
  }

  /** Forgets what was at this time or before. */
  forgetUntil(ms: number): void {
    while (this.#count > 0 && (this.#times[this.#first] as number) <= ms) {
      this.#first = (this.#first + 1) % this.#times.length
      this.#count--
    }
  }

  /** @throws Error past the limit: whoever counts looks first */
  add(ms: number): void {
    if (this.#count === this.#slotsMax) throw new Error('This log is full.')
    if (this.#count === this.#times.length) this.#grow()
    this.#times[(this.#first + this.#count) % this.#times.length] = ms
    this.#count++
  }

  #grow(): void {
    const times = new Float64Array(Math.min(this.#times.length * 2, this.#slotsMax))
    for (let i = 0; i < this.#count; i++)
      times[i] = this.#times[(this.#first + i) % this.#times.length] as number
    this.#times = times
    this.#first = 0
  }
}
