import type { Clock } from '../../core/runtime/clock.ts'
import type { SeenDefinition } from './seen-definitions.ts'

/** A result as it was computed. Kept as text: its size is known, and nobody who is handed it can change it. */
export interface KeptResult {
  readonly json: string
  /** When it was begun, epoch ms: what was stored before is in it. */
  readonly computedMs: number
  /** What users have saved that it was made from. */
  readonly seen: readonly SeenDefinition[]
}

/** Results by their keys; those that were not asked for longest go first. */
export interface ResultCache {
  get(key: string): KeptResult | null
  /** One that is larger than all of them may be is not kept. */
  set(key: string, result: KeptResult): void
  delete(key: string): void
  /** Of keys and results as text, which JavaScript holds in one or two bytes a character: two are counted. */
  readonly bytes: number
}

/** What a result costs beside its text, roughly. */
const ENTRY_BYTES = 512

/**
 * @param bytesMax of all results together
 * @param ageMaxMs after which one is forgotten, asked for or not
 */
export function createResultCache(
  bytesMax: number,
  ageMaxMs: number,
  clock: Pick<Clock, 'monotonic'>,
): ResultCache {
  /** In the order in which they were asked for. */
  const entries = new Map<
    string,
    { readonly result: KeptResult; readonly size: number; readonly at: number }
  >()
  let bytes = 0

  function forget(key: string): void {
    bytes -= entries.get(key)?.size ?? 0
    entries.delete(key)
  }

  return {
    get(key) {
      const entry = entries.get(key)
      if (entry === undefined) return null
      entries.delete(key)
      entries.set(key, entry)
      if (clock.monotonic() - entry.at < ageMaxMs) return entry.result
      forget(key)
      return null
    },
    set(key, result) {
      forget(key)
      const size = (key.length + result.json.length) * 2 + ENTRY_BYTES
      if (size > bytesMax) return
      for (const [oldest, { at }] of entries) {
        if (bytes + size <= bytesMax && clock.monotonic() - at < ageMaxMs) break
        forget(oldest)
      }
      entries.set(key, { result, size, at: clock.monotonic() })
      bytes += size
    },
    delete: forget,
    get bytes() {
      return bytes
    },
  }
}
