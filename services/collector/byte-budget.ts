/**
 * The bytes that the process holds for requests under way: bodies while they arrive, what they decompress to, and
 * records until Kafka acknowledged them. Past the bound a request is turned away before anything of it is taken.
 */
export interface ByteBudget {
  readonly usedBytes: number
  /** A request's share, empty at first. */
  lease(): ByteLease
}

export interface ByteLease {
  /** False, and nothing taken, when the budget has not so many bytes left. */
  take(bytes: number): boolean
  /** Gives everything back; once. */
  release(): void
}

/** @param onChange told the bytes in use after each change, for the gauge */
export function createByteBudget(bytesMax: number, onChange: (usedBytes: number) => void): ByteBudget {
  let used = 0
  return {
    get usedBytes() {
      return used
    },
    lease() {
      let held = 0
      return {
        take(bytes) {
          if (used + bytes > bytesMax) return false
          used += bytes
          held += bytes
          onChange(used)
          return true
        },
        release() {
          used -= held
          held = 0
          onChange(used)
        },
      }
    },
  }
}
