import { readFileSync, writeFileSync } from 'node:fs'

/** What the clients know of each event, one byte by its number. */
export const FATE = { unsent: 0, acked: 1, refused: 2, unknown: 3 } as const

/** The sender's book: five million events are five megabytes. */
export class ChaosLedger {
  #fates: Uint8Array

  constructor(fates = new Uint8Array(1 << 16)) {
    this.#fates = fates
  }

  /** How many numbers were given out at most. */
  get size(): number {
    return this.#fates.length
  }

  fate(seq: number): number {
    return this.#fates[seq] ?? FATE.unsent
  }

  book(seq: number, fate: number): void {
    while (seq >= this.#fates.length) {
      const grown = new Uint8Array(this.#fates.length * 2)
      grown.set(this.#fates)
      this.#fates = grown
    }
    this.#fates[seq] = fate
  }

  count(fate: number): number {
    let count = 0
    for (const each of this.#fates) if (each === fate) count++
    return count
  }

  save(file: string): void {
    writeFileSync(file, this.#fates)
  }

  static load(file: string): ChaosLedger {
    return new ChaosLedger(new Uint8Array(readFileSync(file)))
  }
}
