/**
 * The bytes that the process holds for requests under way: bodies while they arrive, what they decompress to, and
 * records until they are kept. Past the bound a request is turned away before anything of it is taken.
 *
 * One dataset may hold at most {@link SHARE} times what it leaves free. Alone it gets four fifths of the budget; the more
 * datasets want some, the less each may hold, and whoever holds little finds room at any time.
 */
export interface ByteBudget {
  readonly usedBytes: number
  /** A request's share, empty at first. */
  lease(): ByteLease
}

export interface ByteLease {
  /** What is held, and is taken from now on, counts as this dataset's. */
  belongsTo(datasetId: string): void
  /** False, and nothing taken, when the budget has not so many bytes left, or not for this dataset. */
  take(bytes: number): boolean
  /** Gives everything back; once. */
  release(): void
}

/** See Choudhury and Hahne, "Dynamic queue length thresholds for shared-memory packet switches". */
const SHARE = 4

/** @param onChange told the bytes in use after each change, for the gauge */
export function createByteBudget(bytesMax: number, onChange: (usedBytes: number) => void): ByteBudget {
  let used = 0
  const byDataset = new Map<string, number>()

  function count(datasetId: string, bytes: number): void {
    const held = (byDataset.get(datasetId) ?? 0) + bytes
    if (held === 0) byDataset.delete(datasetId)
    else byDataset.set(datasetId, held)
  }
  return {
    get usedBytes() {
      return used
    },
    lease() {
      let held = 0
      let owner: string | null = null
      return {
        belongsTo(datasetId) {
          if (owner === datasetId) return
          owner = datasetId
          count(owner, held)
        },
        take(bytes) {
          const left = bytesMax - used - bytes
          if (left < 0) return false
          if (owner !== null && (byDataset.get(owner) ?? 0) + bytes > SHARE * left) return false
          used += bytes
          held += bytes
          if (owner !== null) count(owner, bytes)
          onChange(used)
          return true
        },
        release() {
          used -= held
          if (owner !== null) count(owner, -held)
          held = 0
          onChange(used)
        },
      }
    },
  }
}
