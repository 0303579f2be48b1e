/** One batch's share of the bytes that all open batches of the process hold. */
export interface ByteShare {
  /** The bound is near and this share is the largest: its batch should be written now. */
  readonly mustClose: boolean
  grow(bytes: number): void
  release(): void
}

/**
 * Bounds memory without holding anybody up: past 80 % of the bound the largest batch closes, and then the next.
 *
 * @param bytesMax of all shares together
 */
export function createOpenBytes(bytesMax: number): {
  readonly total: () => number
  readonly open: () => ByteShare
} {
  const shares = new Map<ByteShare, number>()
  const total = () => [...shares.values()].reduce((sum, bytes) => sum + bytes, 0)
  return {
    total,
    open() {
      const share: ByteShare = {
        get mustClose() {
          const own = shares.get(share) ?? 0
          return own > 0 && total() > 0.8 * bytesMax && [...shares.values()].every((bytes) => bytes <= own)
        },
        grow: (bytes) => {
          shares.set(share, (shares.get(share) ?? 0) + bytes)
        },
        release: () => {
          shares.delete(share)
        },
      }
      return share
    },
  }
}
