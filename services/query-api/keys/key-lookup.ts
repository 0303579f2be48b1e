import { LRUCache } from 'lru-cache'
import type { PersonalApiKeyRow } from '../../core/metadata/metadata-tables.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { isDependencyError } from '../../core/runtime/errors.ts'
import type { Logger } from '../../core/runtime/logger.ts'
import type { FindPersonalKey } from '../http/authenticate.ts'
import type { KeyStore } from './key-store.ts'
import { hourOf, isValid, rightsOf } from './personal-key.ts'

/** How long a key is believed before it is looked up again, ms: what another process revoked works no longer than this. */
export const KEY_BELIEVED_MS = 5_000
/** Keys that are remembered at most, unknown ones among them. */
const KEYS_REMEMBERED_MAX = 10_000

export interface KeyLookup {
  readonly find: FindPersonalKey
  /** To be called when a key changed or went: this process then believes the old one no longer. */
  forget(): void
}

/**
 * Finds personal keys, and notes that they are used. Guesses that are no keys never come here (they have no valid
 * checksum); others cost one look-up per {@link KEY_BELIEVED_MS}.
 */
export function createKeyLookup(
  store: Pick<KeyStore, 'findByHash' | 'noteUse'>,
  clock: Pick<Clock, 'now' | 'monotonic'>,
  logger: Logger,
): KeyLookup {
  const remembered = new LRUCache<string, { readonly row: PersonalApiKeyRow | null; readonly atMs: number }>({
    max: KEYS_REMEMBERED_MAX,
  })
  let generation = 0

  async function rowOf(sha256: string): Promise<PersonalApiKeyRow | null> {
    const known = remembered.get(sha256)
    if (known !== undefined && clock.monotonic() - known.atMs < KEY_BELIEVED_MS) return known.row
    const asked = generation
    const atMs = clock.monotonic()
    const row = await store.findByHash(sha256)
    // What was forgotten while this was read may be what was read.
    if (asked === generation) remembered.set(sha256, { row, atMs })
    if (row !== null) await noteUse(row)
    return row
  }

  async function noteUse(row: PersonalApiKeyRow): Promise<void> {
    const hourMs = hourOf(clock.now())
    if (row.last_used_at !== null && row.last_used_at >= hourMs) return
    try {
      await store.noteUse(row.id, hourMs)
    } catch (error) {
      // A database that can be read and not written must not close the API to those who only read.
      if (!isDependencyError(error)) throw error
      logger.warn({ err: error, key: row.id }, 'The use of a key could not be noted.')
    }
  }

  return {
    async find(sha256) {
      const row = await rowOf(sha256)
      if (row === null || !isValid(row, sha256, clock.now())) return null
      return { id: row.id, rights: rightsOf(row) }
    },
    forget() {
      generation++
      remembered.clear()
    },
  }
}
