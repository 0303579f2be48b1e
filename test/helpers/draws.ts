/** Mulberry32: the same numbers for the same seed. */
export function randomNumbers(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}

/** What is drawn by lot, the same for the same seed. */
export class Draws {
  readonly #next: () => number

  constructor(seed: number) {
    this.#next = randomNumbers(seed)
  }

  below(limit: number): number {
    return Math.floor(this.#next() * limit)
  }

  /** @param of from 0 to 1 */
  chance(of: number): boolean {
    return this.#next() < of
  }

  pick<T>(list: readonly T[]): T {
    return list[this.below(list.length)] as T
  }

  /** @returns as many as it says, each made anew */
  times<T>(count: number, make: () => T): T[] {
    return Array.from({ length: count }, make)
  }

  /** Each member with that chance. */
  some(of: number, members: Readonly<Record<string, () => unknown>>): Record<string, unknown> {
    const drawn = Object.entries(members).filter(() => this.chance(of))
    return Object.fromEntries(drawn.map(([name, make]) => [name, make()]))
  }

  /** For what draws by itself. */
  seed(): number {
    return this.below(4_294_967_296)
  }
}
