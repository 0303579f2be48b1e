/** A bound on how many lanes of their own are being tried at a time. */
export interface LaneSlots {
  /** Waits for a slot. @returns what gives it back; null when the signal aborted first */
  take(signal: AbortSignal): Promise<(() => void) | null>
}

export function createLaneSlots(max: number): LaneSlots {
  let free = max
  const waiting: (() => void)[] = []
  function release(): void {
    const next = waiting.shift()
    if (next) next()
    else free++
  }
  return {
    async take(signal) {
      if (signal.aborted) return null
      if (free > 0) {
        free--
        return once(release)
      }
      return new Promise((resolve) => {
        const mine = () => {
          signal.removeEventListener('abort', giveUp)
          resolve(once(release))
        }
        const giveUp = () => {
          waiting.splice(waiting.indexOf(mine), 1)
          resolve(null)
        }
        waiting.push(mine)
        signal.addEventListener('abort', giveUp, { once: true })
      })
    },
  }
}

function once(action: () => void): () => void {
  let done = false
  return () => {
    if (!done) action()
    done = true
  }
}
