import { expect, test } from 'vitest'
import { partitionOf } from '../../../../services/core/kafka/partition.ts'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import { createLogger } from '../../../../services/core/runtime/logger.ts'
import {
  createEventEraser,
  RETRY_MS,
  REWRITE_MS,
  SWEEP_MS,
  WATCH_MS,
} from '../../../../services/identity/publish/event-eraser.ts'
import { createManualClock } from '../../../helpers/manual-clock.ts'

/** An eraser over a ClickHouse that answers what it is told and notes what it is told to do. */
function eraserOf(given: { readonly partition?: number; readonly partitions?: number } = {}) {
  const clock = createManualClock(WATCH_MS * 2)
  const world = {
    open: [] as string[],
    due: [] as { dataset_id: string; distinct_id: string; until_ms: number; events: number }[],
    mutations: 0,
    fails: false,
    effects: [] as string[],
    erased: 0,
  }
  const eraser = createEventEraser(
    {
      clickhouse: {
        query: async <T>(sql: string, parameters = {}) => {
          if (world.fails) throw new DependencyError('clickhouse', 'timeout', 'Too late.')
          if (sql.startsWith('SELECT DISTINCT'))
            return world.open.map((dataset_id) => ({ dataset_id })) as T[]
          if (sql.includes('system.mutations')) return [{ mutations: world.mutations }] as T[]
          if (sql.includes('AS deletions')) return [{ deletions: world.open.length }] as T[]
          const { datasets } = parameters as { datasets: string[] }
          return world.due.filter(({ dataset_id }) => datasets.includes(dataset_id)) as T[]
        },
        command: async (sql, parameters, options) => {
          const { dataset, ids, until } = (parameters ?? {}) as Record<string, unknown>
          if (sql.startsWith('ALTER')) world.effects.push('rewrite')
          else world.effects.push(`delete ${dataset} ${(ids as string[]).length} ${until}`)
          if (!sql.startsWith('ALTER')) expect(options?.settings).toEqual({ lightweight_deletes_sync: 2 })
        },
      },
      clock,
      logger: createLogger('test', 'error', { write: () => undefined }),
      erased: (events) => {
        world.erased += events
      },
    },
    { partition: given.partition ?? 0, partitions: given.partitions ?? 1 },
  )
  const ending = new AbortController()
  const running = eraser.run(ending.signal)
  const stop = async () => {
    ending.abort()
    await running
  }
  return { world, clock, eraser, stop }
}

const due = (n: number, dataset_id = 'shop', until_ms = 5) =>
  Array.from({ length: n }, (_, id) => ({ dataset_id, distinct_id: `id-${id}`, until_ms, events: 2 }))

test('what is told is deleted at once, in statements of bounded size per dataset and bound', async () => {
  const { world, clock, eraser, stop } = eraserOf()
  await clock.advance(10)
  expect(world.effects).toEqual([])
  world.open.push('shop', 'blog')
  world.due.push(...due(201), ...due(1, 'blog', 7))
  eraser.nudge()
  await clock.advance(10)
  await stop()
  expect(world.effects).toEqual(['delete shop 200 5', 'delete shop 1 5', 'delete blog 1 7'])
  expect(world.erased).toBe(404)
})

test('latecomers are looked for every hour, and parts are rewritten once a day while there may be masked rows', async () => {
  const { world, clock, stop } = eraserOf()
  world.open.push('shop')
  await clock.advance(SWEEP_MS / 2)
  expect(world.effects).toEqual(['rewrite'])
  world.due.push(...due(1))
  await clock.advance(SWEEP_MS)
  world.due.length = 0
  expect(world.effects).toEqual(['rewrite', 'delete shop 1 5'])
  await clock.advance(REWRITE_MS)
  await stop()
  expect(world.effects).toEqual(['rewrite', 'delete shop 1 5', 'rewrite'])
})

test('a ClickHouse that fails, or is still at it, is asked again soon; nothing is sent twice meanwhile', async () => {
  const { world, clock, stop } = eraserOf()
  world.open.push('shop')
  world.due.push(...due(1))
  world.fails = true
  await clock.advance(RETRY_MS / 2)
  world.fails = false
  world.mutations = 1
  await clock.advance(RETRY_MS)
  expect(world.effects).toEqual([])
  world.mutations = 0
  await clock.advance(RETRY_MS)
  await stop()
  expect(world.effects).toEqual(['delete shop 1 5', 'rewrite'])
})

test('a worker deletes for the datasets of its partition, and only the first one rewrites', async () => {
  const partition = partitionOf(Buffer.from('shop'), 7)
  const [own, other] = [partition, (partition + 1) % 7].map((one) =>
    eraserOf({ partition: one, partitions: 7 }),
  )
  for (const one of [own!, other!]) {
    one.world.open.push('shop')
    one.world.due.push(...due(1))
    one.eraser.nudge()
    await one.clock.advance(10)
    await one.stop()
  }
  const deletions = (one: typeof own) => one?.world.effects.filter((effect) => effect !== 'rewrite')
  expect([deletions(own), deletions(other)]).toEqual([['delete shop 1 5'], []])
})
