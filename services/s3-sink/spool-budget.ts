/** What one open batch may use of the spool disk that all batches of this process share. */
export interface SpoolShare {
  /** @param bytes appended to the spool */
  grow(bytes: number): void
  /** Disk is short and this batch should give up its part: close it, whatever its rotation limits say. */
  readonly mustClose: boolean
  /** The batch's spool is gone. */
  release(): void
}

export interface SpoolBudget {
  open(): SpoolShare
  /** Bytes in all spools. */
  readonly usedBytes: number
}

/** Past this part of the bound the largest open batch is closed early, so that the bound itself is seldom met. */
const EARLY = 0.8

/**
 * Bounds the bytes in spools. From 80 % of the bound on the largest batch is asked to close; at the bound every batch
 * that is written to. Closing early makes smaller files, nothing waits and nothing is dropped; the bound can be
 * passed by what one poll brings.
 */
export function spoolBudget(bytesMax: number): SpoolBudget {
  const shares = new Map<object, number>()
  let used = 0
  const largest = () => {
    let [found, most] = [null as object | null, 0]
    for (const [share, bytes] of shares) if (bytes > most) [found, most] = [share, bytes]
    return found
  }
  return {
    get usedBytes() {
      return used
    },
    open() {
      const id = {}
      shares.set(id, 0)
      return {
        grow(bytes) {
          used += bytes
          shares.set(id, (shares.get(id) ?? 0) + bytes)
        },
        get mustClose() {
          if (used < bytesMax * EARLY || shares.get(id) === 0) return false
          return used >= bytesMax || largest() === id
        },
        release() {
          used -= shares.get(id) ?? 0
          shares.delete(id)
        },
      }
    },
  }
}
