/** A seeded source of randomness: the same seed gives the same draws on every machine. */
export interface Random {
  /** In [0, 1). */
  next(): number
  /** A whole number from 0 to `limit − 1`. */
  below(limit: number): number
  /** Whether something of this probability happens. */
  chance(probability: number): boolean
  pick<T>(choices: readonly T[]): T
  /** Picks by weight. Weights need not add up to 1. */
  weighted<T>(choices: readonly (readonly [weight: number, choice: T])[]): T
  /** Exponentially distributed with this mean, at most ten times the mean. */
  exponential(mean: number): number
  /** 32 lower-case hex digits. */
  hex(): string
}

/** @param words any number of seed words; each of them changes every draw */
export function createRandom(...words: readonly (number | string)[]): Random {
  let [a, b, c, d] = seedState(words.join('\u0000'))
  /** sfc32: 128 bits of state, passes PractRand, a handful of integer operations. */
  const word = (): number => {
    const t = (((a + b) | 0) + d) | 0
    d = (d + 1) | 0
    a = b ^ (b >>> 9)
    b = (c + (c << 3)) | 0
    c = (c << 21) | (c >>> 11)
    c = (c + t) | 0
    return t >>> 0
  }
  for (let i = 0; i < 12; i++) word()

  const next = () => word() / 4294967296
  return {
    next,
    below: (limit) => Math.floor(next() * limit),
    chance: (probability) => next() < probability,
    pick: (choices) => choices[Math.floor(next() * choices.length)]!,
    weighted: (choices) => {
      let left = next() * choices.reduce((sum, [weight]) => sum + weight, 0)
      for (const [weight, choice] of choices) {
        left -= weight
        if (left < 0) return choice
      }
      return choices[choices.length - 1]![1]
    },
    exponential: (mean) => Math.min(-Math.log(1 - next()) * mean, 10 * mean),
    hex: () => {
      let digits = ''
      for (let i = 0; i < 4; i++) digits += word().toString(16).padStart(8, '0')
      return digits
    },
  }
}

/** Four words from text by FNV-1a with four offsets; sfc32's warm-up rounds do the mixing. */
function seedState(text: string): [number, number, number, number] {
  const state: [number, number, number, number] = [0x811c9dc5, 0x9e3779b9, 0x243f6a88, 0xb7e15162]
  for (let i = 0; i < text.length; i++) {
    for (let w = 0; w < 4; w++) state[w] = Math.imul(state[w]! ^ (text.charCodeAt(i) + w), 0x01000193)
  }
  return state
}
