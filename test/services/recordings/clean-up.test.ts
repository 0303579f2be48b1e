import { expect, test } from 'vitest'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { createLogger } from '../../../services/core/runtime/logger.ts'
import { keepCleaningUp } from '../../../services/recordings/clean-up.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createMemoryObjectStore } from '../../helpers/memory-object-store.ts'

const NOW = Date.parse('2026-11-22T12:00:00Z')
const DAY_MS = 86_400_000

/** @param blocks how many are too old at first */
function world(blocks: number) {
  const clock = createManualClock(NOW)
  const store = createMemoryObjectStore()
  const objects = new Map()
  store.buckets.set('lake', objects)
  for (let n = 0; n < blocks; n++)
    objects.set(`recordings/shop/x/${n}`, { bytes: Buffer.alloc(0), metadata: {} })
  const effects: string[] = []
  const lines: string[] = []
  const state = { isAway: false, late: [] as { dataset_id: string; session_id: string }[] }
  let rows = [...objects.keys()]
  const clickhouse = {
    async query<T>(sql: string, given: Readonly<Record<string, unknown>> = {}): Promise<T[]> {
      if (state.isAway) throw new DependencyError('clickhouse', 'unavailable', 'Away.')
      if (sql.includes('recording_deletions')) return state.late.splice(0, Number(given.sessionsMax)) as T[]
      effects.push(`look before ${new Date(Number(given.beforeMs)).toISOString()}`)
      return rows.slice(0, Number(given.blocksMax)).map((object_key) => ({ object_key })) as T[]
    },
    async command(_sql: string, given: Readonly<Record<string, unknown>> = {}) {
      const keys = given.keys as string[] | undefined
      effects.push(
        keys === undefined ? `delete rows of ${given.session_id}` : `delete rows of ${keys.length} blocks`,
      )
      if (keys !== undefined) rows = rows.filter((key) => !keys.includes(key))
    },
    insert: async () => {},
  }
  const stop = new AbortController()
  const removed: string[] = []
  const done = keepCleaningUp(
    {
      stores: { clickhouse: clickhouse as never, store, bucket: 'lake' },
      retentionMs: 30 * DAY_MS,
      intervalMs: 60_000,
      clock,
      logger: createLogger('test', 'debug', { write: (line: string) => void lines.push(line) }),
      removed: (what, count) => void (count > 0 && removed.push(`${what} ${count}`)),
    },
    stop.signal,
  )
  return { clock, effects, lines, state, removed, objects, stop, done }
}

test('everything that is too old goes with one look, a thousand blocks at a time', async () => {
  const { clock, effects, removed, objects, stop, done } = world(1_001)
  await clock.advance(59_000)
  expect(effects).toEqual([])
  await clock.advance(1_000)
  const look = `look before ${new Date(NOW + 60_000 - 30 * DAY_MS).toISOString()}`
  expect(effects).toEqual([look, 'delete rows of 1000 blocks', look, 'delete rows of 1 blocks'])
  expect(removed).toEqual(['expired_blocks 1000', 'expired_blocks 1'])
  expect(objects.size).toBe(0)
  stop.abort()
  await clock.advance(0)
  await done
})

test('what came late of deleted sessions goes, and a store that is away is asked again', async () => {
  const { clock, effects, lines, state, removed, stop, done } = world(0)
  state.isAway = true
  await clock.advance(60_000)
  expect(lines.join()).toContain('tried again')
  state.isAway = false
  state.late = Array.from({ length: 101 }, (_, n) => ({ dataset_id: 'shop', session_id: `s${n}` }))
  await clock.advance(60_000)
  expect(removed).toEqual(['deleted_sessions 100', 'deleted_sessions 1'])
  expect(effects.slice(0, 2)).toEqual(['delete rows of s0', 'delete rows of s1'])
  stop.abort()
  await clock.advance(0)
  await done
})
