import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { afterEach, expect, test } from 'vitest'
import type { GroupConsumer, Log, RecordBatch, TopicPartition } from '../../../services/core/kafka/log.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { Health } from '../../../services/core/runtime/health.ts'
import { createLogger } from '../../../services/core/runtime/logger.ts'
import { createMetrics, type Metrics } from '../../../services/core/runtime/metrics.ts'
import { type PartitionWorker, REST_MAX_MS } from '../../../services/core/stream/partition-worker.ts'
import { type RunPartitionsOptions, runPartitions } from '../../../services/core/stream/run-partitions.ts'
import { createManualClock, settle } from '../../helpers/manual-clock.ts'
import { createMemoryLog, valuesOf } from '../../helpers/memory-log.ts'

const TOPIC = 'events'
const GROUP = 'stage'

type Step = (partition: number, what: string) => void | Promise<void>

/** A stage of one group over a memory log: every effect of its workers, in order. */
async function createWorld(partitions = 1) {
  const clock = createManualClock()
  const log = createMemoryLog({ clock })
  await log.admin.createTopics([{ topic: TOPIC, partitions, replicationFactor: -1, config: {} }])
  const producer = await log.openProducer({ clientId: 'test', lingerMs: 0, deliveryTimeoutMs: 1000 })
  const effects: string[] = []
  const stops: AbortController[] = []
  const runs: Promise<void>[] = []

  async function produce(partition: number, ...values: string[]): Promise<void> {
    await producer.produce(
      values.map((value) => ({ topic: TOPIC, partition, key: null, value: Buffer.from(value) })),
    )
  }

  /** Commits after every batch, unless `step` throws or waits first. */
  function worker(name: string, { partition }: TopicPartition, consumer: GroupConsumer, step: Step) {
    const say = (what: string) => effects.push(`${name}${partition} ${what}`)
    return {
      async start() {
        say('start')
        await step(partition, 'start')
        const [position] = await consumer.committed([{ topic: TOPIC, partition }])
        return position?.offset ?? 0
      },
      async process(batch) {
        const values = valuesOf(batch).join()
        await step(partition, values)
        const offset = batch.offset(batch.length - 1) + 1
        await consumer.commit([{ topic: TOPIC, partition, offset, metadata: '' }])
        say(values)
      },
      async tick() {
        await step(partition, 'tick')
      },
      tickInMs: () => REST_MAX_MS,
      async stop(reason) {
        say(`stop ${reason}`)
        await step(partition, 'stop')
      },
    } satisfies PartitionWorker
  }

  function run(name: string, step: Step = () => {}, overrides: Partial<RunPartitionsOptions> = {}) {
    const stop = new AbortController()
    const health = new Health()
    const metrics = createMetrics()
    const done = runPartitions({
      log,
      group: {
        groupId: GROUP,
        clientId: name,
        topics: [TOPIC],
        sessionTimeoutMs: 10_000,
        maxPollIntervalMs: 60_000,
        pollRecordsMax: 2,
        prefetchBytesMax: 1_000_000,
      },
      createWorker: (partition, consumer) => worker(name, partition, consumer, step),
      bounds: { queueRecordsMax: 6, queueBytesMax: 1_000 },
      stage: 'test',
      logger: createLogger('test', 'error', { write: () => {} }),
      metrics,
      health,
      signal: stop.signal,
      clock,
      random: () => 0.5,
      ...overrides,
    })
    done.catch(() => undefined)
    runs.push(done)
    stops.push(stop)
    return {
      done,
      health,
      metrics,
      async stop() {
        stop.abort()
        await clock.advance(1_000)
        await done
      },
    }
  }
  afterEach(async () => {
    for (const stop of stops) stop.abort()
    await clock.advance(1_000)
    await Promise.allSettled(runs)
  })
  return { clock, log, effects, produce, run }
}

/** The same log, telling how many records each poll handed out. */
function watchingPolls(log: Log, onPolled: (count: number) => void): Log {
  return {
    ...log,
    async openGroupConsumer(options) {
      const consumer = await log.openGroupConsumer(options)
      const poll = consumer.poll
      consumer.poll = async () => {
        const batches = await poll()
        onPolled(batches.reduce((sum, batch) => sum + batch.length, 0))
        return batches
      }
      return consumer
    },
  }
}

test('a worker that fails in passing is replaced and continues from what is committed', async () => {
  const { clock, effects, produce, run } = await createWorld()
  await produce(0, 'a', 'b', 'c')
  let failures = 1
  run('w', (_, what) => {
    if (what === 'c' && failures-- > 0) throw new DependencyError('s3', 'timeout', 'No answer.')
  })
  await clock.advance(0)
  expect(effects).toEqual(['w0 start', 'w0 a,b', 'w0 stop failed'])
  await produce(0, 'd')
  await clock.advance(1_000)
  expect(effects.slice(3)).toEqual(['w0 start', 'w0 c,d'])
})

test('records fetched before a failure never reach the next worker out of order', async () => {
  const { clock, effects, produce, run } = await createWorld()
  for (let n = 0; n < 40; n++) await produce(0, `${n}`)
  let calls = 0
  run('w', async (_, what) => {
    if (!/^\d/.test(what)) return
    // Slower than polls, so that more is queued behind a batch that fails.
    await clock.sleep(400)
    if (++calls % 3 === 0) throw new DependencyError('clickhouse', 'overloaded', 'Later.')
  })
  await clock.advance(120_000)
  const seen = effects
    .filter((each) => /^w0 \d/.test(each))
    .flatMap((each) => each.slice(3).split(','))
    .map(Number)
  expect(seen).toEqual(Array.from({ length: 40 }, (_, n) => n))
})

test('a partition whose dependency refuses stops with an alarm while the others go on', async () => {
  const { clock, effects, produce, run } = await createWorld(2)
  const failed: string[] = []
  const stage = run(
    'w',
    (partition, what) => {
      if (partition === 0 && what === 'bad') throw new DependencyError('s3', 'rejected', 'Too large.')
    },
    { onPartitionFailed: ({ partition }, error) => failed.push(`${partition} ${error.code}`) },
  )
  await clock.advance(100)
  await produce(0, 'bad')
  await produce(1, 'good')
  await clock.advance(60_000)
  await produce(0, 'later')
  await produce(1, 'better')
  await clock.advance(1_000)
  expect(effects).toEqual(['w0 start', 'w1 start', 'w0 stop failed', 'w1 good', 'w1 better'])
  expect(failed).toEqual(['0 rejected'])
  expect(stage.health.ready().checks['test partitions']).toContain('events/0: Too large.')
  expect(await stage.metrics.expose()).toContain('millrace_test_stopped_partitions_count 1')
})

test('a partition that is denied asks again with an alarm, and goes on by itself once it is let in', async () => {
  const { clock, effects, produce, run } = await createWorld(2)
  let denies = true
  let tries = 0
  const stage = run('w', (partition, what) => {
    if (partition !== 0 || what !== 'a' || !denies) return
    tries++
    throw new DependencyError('s3', 'denied', 'The token has expired.')
  })
  await clock.advance(100)
  await produce(0, 'a')
  await produce(1, 'good')
  await clock.advance(120_000)
  // After 1, 2, 4, 8, 16 s and then every 30 s: half of what they are at most.
  expect(tries).toBe(8)
  expect(effects).toContain('w1 good')
  expect(stage.health.ready().checks['test partitions']).toContain('events/0: The token has expired.')
  expect(await stage.metrics.expose()).toContain('millrace_test_denied_partitions_count 1')
  denies = false
  await clock.advance(30_000)
  expect(effects).toContain('w0 a')
  expect(stage.health.ready().ok).toBe(true)
  expect(await stage.metrics.expose()).toContain('millrace_test_denied_partitions_count 0')
})

test('a position that retention has passed stops its partition with an alarm, never skips', async () => {
  const { clock, log, effects, produce, run } = await createWorld(2)
  await produce(0, 'a', 'b', 'c')
  await produce(1, 'good')
  log.controls.setCommitted(GROUP, { topic: TOPIC, partition: 0, offset: 1 }, '')
  log.controls.truncate({ topic: TOPIC, partition: 0, offset: 2 })
  const failed: string[] = []
  run('w', () => {}, {
    onPartitionFailed: ({ partition }, error) => failed.push(`${partition} ${error.code}`),
  })
  await clock.advance(5_000)
  expect(effects).toEqual(['w0 start', 'w1 start', 'w0 stop failed', 'w1 good'])
  expect(failed).toEqual(['0 not_found'])
})

/** Runs one member, and loses the records behind the first in partition 0 before a poll could fetch them. */
async function loseRecords(resume: boolean) {
  const world = await createWorld(2)
  const { clock, log, produce, run } = world
  const failed: string[] = []
  let member: GroupConsumer | undefined
  run('w', () => {}, {
    onPartitionFailed: ({ partition }, error) => failed.push(`${partition} ${error.code}`),
    log: {
      ...log,
      openGroupConsumer: async (options) => {
        member = await log.openGroupConsumer(options)
        return member
      },
    },
  })
  await produce(0, 'a')
  await clock.advance(200)
  member?.pause([{ topic: TOPIC, partition: 0 }])
  await produce(0, 'b', 'c')
  log.controls.truncate({ topic: TOPIC, partition: 0, offset: 2 })
  if (resume) member?.resume([{ topic: TOPIC, partition: 0 }])
  return { ...world, failed }
}

test('records that retention takes from under a running worker stop its partition only', async () => {
  const { clock, effects, failed, produce } = await loseRecords(true)
  await clock.advance(1_000)
  await produce(1, 'good')
  await clock.advance(1_000)
  expect(effects).toEqual(['w0 start', 'w1 start', 'w0 a', 'w0 stop failed', 'w1 good'])
  expect(failed).toEqual(['0 not_found'])
})

test('a position that is gone is found although no poll tells of it', async () => {
  const { clock, failed } = await loseRecords(false)
  await clock.advance(20_000)
  expect(failed).toEqual([])
  await clock.advance(20_000)
  expect(failed).toEqual(['0 not_found'])
})

test('an error that is our own ends the run', async () => {
  const { clock, effects, produce, run } = await createWorld(2)
  const stage = run('w', (_, what) => {
    if (what === 'bug') throw new TypeError('undefined is not a function')
  })
  await produce(1, 'bug')
  await clock.advance(500)
  await expect(stage.done).rejects.toThrow('undefined is not a function')
  expect(effects).toEqual(['w0 start', 'w1 start'])
})

test('a failing start is repeated, and the partition then begins where it says', async () => {
  const { clock, effects, produce, run } = await createWorld()
  await produce(0, 'a')
  let failures = 2
  run('w', (_, what) => {
    if (what === 'start' && failures-- > 0) throw new DependencyError('kafka', 'timeout', 'No answer.')
  })
  await clock.advance(10_000)
  expect(effects).toEqual(['w0 start', 'w0 stop failed', 'w0 start', 'w0 stop failed', 'w0 start', 'w0 a'])
})

test('a partition whose start is repeated while others of its assignment still start begins where it says', async () => {
  const { clock, effects, produce, run } = await createWorld(2)
  await produce(0, 'a', 'b')
  const other = Promise.withResolvers<void>()
  let failures = 1
  const step: Step = (partition, what) => {
    if (what !== 'start') return
    if (partition === 1) return other.promise
    if (failures-- > 0) throw new DependencyError('s3', 'timeout', 'No answer.')
  }
  run('w', step, { restart: { baseDelayMs: 200, maxDelayMs: 200, attempts: 10 } })
  await clock.advance(300)
  expect(effects).toEqual(['w0 start', 'w1 start', 'w0 stop failed', 'w0 start'])
  other.resolve()
  await clock.advance(1_000)
  expect(effects.slice(4)).toEqual(['w0 a,b'])
})

test('a partition that starts slowly holds up no other of its assignment, and begins where it says', async () => {
  const { clock, effects, produce, run } = await createWorld(2)
  await produce(0, 'a')
  await produce(1, 'b')
  const gate = Promise.withResolvers<void>()
  run('w', (partition, what) => (partition === 1 && what === 'start' ? gate.promise : undefined))
  await clock.advance(1_000)
  expect(effects).toEqual(['w0 start', 'w1 start', 'w0 a'])
  gate.resolve()
  await clock.advance(1_000)
  expect(effects.slice(3)).toEqual(['w1 b'])
})

test('a partition that is taken away while it starts is given up after its start, before the next owner has it', async () => {
  const { clock, effects, produce, run } = await createWorld(2)
  await produce(1, 'b')
  const gate = Promise.withResolvers<void>()
  run('v', (partition, what) => (partition === 1 && what === 'start' ? gate.promise : undefined))
  await clock.advance(1_000)
  run('w')
  await clock.advance(2_000)
  expect(effects).toEqual(['v0 start', 'v1 start'])
  gate.resolve()
  await clock.advance(1_000)
  expect(effects.slice(2)).toEqual(['v1 stop revoked', 'w1 start', 'w1 b'])
})

test('a run whose polls fail ends after every worker has finished what it does and has stopped', async () => {
  const { clock, log, effects, produce, run } = await createWorld()
  await produce(0, 'a')
  const gate = Promise.withResolvers<void>()
  let broken = false
  const failing: Log = {
    ...log,
    async openGroupConsumer(options) {
      const consumer = await log.openGroupConsumer(options)
      const poll = consumer.poll
      consumer.poll = async () => {
        if (broken) throw new DependencyError('kafka', 'denied', 'Not allowed any more.')
        return poll()
      }
      return consumer
    },
  }
  const step: Step = (_, what) => (what === 'a' ? gate.promise : undefined)
  const { done } = run('w', step, { log: failing })
  let ended = false
  done.catch(() => {
    ended = true
  })
  await clock.advance(500)
  broken = true
  await clock.advance(1_000)
  expect(ended).toBe(false)
  gate.resolve()
  await clock.advance(1_000)
  await expect(done).rejects.toMatchObject({ code: 'denied' })
  expect(effects).toEqual(['w0 start', 'w0 a', 'w0 stop failed'])
})

test('a fenced worker ends quietly and takes the partition back when it is still assigned later', async () => {
  const { clock, effects, produce, run } = await createWorld()
  let failures = 1
  const stage = run('w', (_, what) => {
    if (what === 'a' && failures-- > 0) throw new DependencyError('kafka', 'fenced', 'Taken over.')
  })
  await produce(0, 'a')
  await clock.advance(10_000)
  expect(effects).toEqual(['w0 start', 'w0 stop failed'])
  expect(stage.health.ready().ok).toBe(true)
  await clock.advance(15_000)
  expect(effects.slice(2)).toEqual(['w0 start', 'w0 a'])
})

test('a revocation in the middle of a batch waits for it, and the next owner starts after it', async () => {
  const { clock, effects, produce, run } = await createWorld(2)
  const gate = Promise.withResolvers<void>()
  run('v', async (partition, what) => {
    if (partition === 1 && what === 'slow') await gate.promise
  })
  await clock.advance(200)
  await produce(1, 'slow')
  await clock.advance(200)
  run('w')
  await clock.advance(2_000)
  expect(effects).toEqual(['v0 start', 'v1 start'])
  gate.resolve()
  await clock.advance(1_000)
  await produce(1, 'next')
  await produce(0, 'stays')
  await clock.advance(1_000)
  expect(effects.slice(2).sort()).toEqual(
    ['v1 slow', 'v1 stop revoked', 'w1 start', 'w1 next', 'v0 stays'].sort(),
  )
  expect(effects.indexOf('v1 stop revoked')).toBeLessThan(effects.indexOf('w1 start'))
})

test('a member that the group forgot is told that its partitions are lost', async () => {
  const { clock, effects, produce, log, run } = await createWorld()
  let member: GroupConsumer | undefined
  run('w', () => {}, {
    log: {
      ...log,
      openGroupConsumer: async (options) => {
        member = await log.openGroupConsumer(options)
        return member
      },
    },
  })
  await produce(0, 'a')
  await clock.advance(200)
  log.controls.expel(member as GroupConsumer)
  await produce(0, 'b')
  await clock.advance(1_000)
  expect(effects).toEqual(['w0 start', 'w0 a', 'w0 stop lost', 'w0 start', 'w0 b'])
})

test('what waits for a slow worker never passes its bound, and nothing is left out', async () => {
  const { clock, effects, produce, log, run } = await createWorld()
  for (let n = 0; n < 50; n++) await produce(0, `${n}`)
  let handedOut = 0
  let worked = 0
  let most = 0
  run(
    'w',
    async (_, what) => {
      if (!/^\d/.test(what)) return
      await clock.sleep(700)
      worked += what.split(',').length
    },
    {
      log: watchingPolls(log, (count) => {
        handedOut += count
        most = Math.max(most, handedOut - worked)
      }),
    },
  )
  await clock.advance(60_000)
  expect(most).toBe(6)
  const seen = effects.filter((each) => /^w0 \d/.test(each)).flatMap((each) => each.slice(3).split(','))
  expect(seen).toEqual(Array.from({ length: 50 }, (_, n) => `${n}`))
})

test('a queue that is full by bytes fetches no more than the poll that filled it', async () => {
  const { clock, effects, produce, log, run } = await createWorld()
  for (let n = 0; n < 20; n++) await produce(0, `${n}${'x'.repeat(600)}`)
  const gate = Promise.withResolvers<void>()
  let handedOut = 0
  run(
    'w',
    async (_, what) => {
      if (/^\d/.test(what)) await gate.promise
    },
    {
      bounds: { queueRecordsMax: 1_000, queueBytesMax: 1_000 },
      log: watchingPolls(log, (count) => {
        handedOut += count
      }),
    },
  )
  await clock.advance(3_000)
  expect(handedOut).toBe(2)
  gate.resolve()
  await clock.advance(20_000)
  expect(effects.filter((each) => /^w0 \d/.test(each))).toHaveLength(10)
})

test('partitions share what may be queued, so that memory does not grow with the assignment', async () => {
  const { clock, produce, log, run } = await createWorld(2)
  for (let n = 0; n < 40; n++) {
    for (const partition of [0, 1]) await produce(partition, `${n}${'x'.repeat(600)}`)
  }
  const gate = Promise.withResolvers<void>()
  let handedOut = 0
  run(
    'w',
    async (_, what) => {
      if (/^\d/.test(what)) await gate.promise
    },
    {
      bounds: { queueRecordsMax: 1_000, queueBytesMax: 10_000 },
      log: watchingPolls(log, (count) => {
        handedOut += count
      }),
    },
  )
  await clock.advance(10_000)
  // 16 of 600 bytes fit; each partition may go past its half by what one poll brings, and holds one batch besides.
  expect(handedOut).toBeGreaterThanOrEqual(14)
  expect(handedOut).toBeLessThanOrEqual(26)
  gate.resolve()
})

test('a queue is worked off without waiting for time to pass', async () => {
  const { clock, effects, produce, run } = await createWorld()
  const gate = Promise.withResolvers<void>()
  run('w', async (_, what) => {
    if (what === 'a,b') await gate.promise
  })
  await produce(0, 'a', 'b', 'c', 'd', 'e', 'f')
  await clock.advance(300)
  gate.resolve()
  await settle()
  expect(effects).toEqual(['w0 start', 'w0 a,b', 'w0 c,d', 'w0 e,f'])
})

test('ticks come between batches and while there are none', async () => {
  const { clock, produce, run } = await createWorld()
  const steps: string[] = []
  run('w', (_, what) => void steps.push(what))
  await clock.advance(2_500)
  await produce(0, 'a')
  await clock.advance(1_000)
  expect(steps).toEqual(['start', 'tick', 'tick', 'a', 'tick'])
})

test('a tick comes as soon as what a batch brought wants one', async () => {
  const { clock, produce, run } = await createWorld()
  const ticks: number[] = []
  let dueMs: number | null = null
  run('w', () => {}, {
    createWorker: () => ({
      start: async () => 0,
      async process() {
        dueMs = clock.monotonic() + 60
      },
      async tick() {
        ticks.push(clock.monotonic())
        dueMs = null
      },
      tickInMs: () => (dueMs === null ? REST_MAX_MS : dueMs - clock.monotonic()),
      stop: async () => {},
    }),
  })
  await clock.advance(1_500)
  await produce(0, 'a')
  await clock.advance(1_500)
  expect(ticks).toEqual([1_000, 1_560, 2_560])
})

test('the lag of a partition is its end minus what was processed', async () => {
  const { clock, produce, run } = await createWorld()
  const gate = Promise.withResolvers<void>()
  const stage = run('w', async (_, what) => {
    if (what === 'b') await gate.promise
  })
  await produce(0, 'a')
  await clock.advance(1_500)
  expect(await stage.metrics.expose()).toContain('partition_lag_records{topic="events",partition="0"} 0')
  await produce(0, 'b')
  await clock.advance(100)
  await produce(0, 'c', 'd')
  gate.resolve()
  await clock.advance(1_500)
  expect(await stage.metrics.expose()).toContain('partition_lag_records{topic="events",partition="0"} 0')
})

test('who gives a partition up tells its lag no longer, who has it does', async () => {
  const { clock, run } = await createWorld(2)
  const first = run('v')
  await clock.advance(1_500)
  const told = async (stage: { metrics: Metrics }) =>
    [...(await stage.metrics.expose()).matchAll(/_lag_records\{topic="events",partition="(\d)"\}/g)].map(
      (found) => found[1],
    )
  expect(await told(first)).toEqual(['0', '1'])
  const second = run('w')
  await clock.advance(3_000)
  expect([...(await told(first)), ...(await told(second))].sort()).toEqual(['0', '1'])
  expect(await told(second)).toHaveLength(1)
})

test('stopping finishes the batch under way, drops the queue and leaves the group', async () => {
  const { clock, effects, produce, run } = await createWorld()
  await produce(0, 'a', 'b', 'c', 'd')
  const gate = Promise.withResolvers<void>()
  const stage = run('v', async (_, what) => {
    if (what === 'a,b') await gate.promise
  })
  await clock.advance(300)
  const stopped = stage.stop()
  await settle()
  gate.resolve()
  await stopped
  run('w')
  await clock.advance(300)
  expect(effects).toEqual(['v0 start', 'v0 a,b', 'v0 stop stopping', 'w0 start', 'w0 c,d'])
})

test('a processed batch is not kept: memory does not grow with what went through', async () => {
  const { clock, produce, run } = await createWorld()
  setFlagsFromString('--expose-gc')
  const collectGarbage = runInNewContext('gc') as () => void
  const seen: WeakRef<RecordBatch>[] = []
  run('w', () => {}, {
    createWorker: () => ({
      start: async () => 0,
      process: async (batch) => void seen.push(new WeakRef(batch)),
      tick: async () => {},
      tickInMs: () => REST_MAX_MS,
      stop: async () => {},
    }),
  })
  for (let n = 0; n < 20; n++) {
    await produce(0, String(n))
    await clock.advance(200)
  }
  await settle()
  collectGarbage()
  expect(seen).toHaveLength(20)
  // The last one or two may still be in somebody's hands.
  expect(seen.filter((batch) => batch.deref() !== undefined).length).toBeLessThan(5)
})
