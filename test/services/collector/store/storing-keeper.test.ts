import { randomFillSync } from 'node:crypto'
import { setImmediate as macrotask } from 'node:timers/promises'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { openSegmentLog } from '../../../../services/collector/store/segment-log.ts'
import { createStoreMetrics } from '../../../../services/collector/store/store-metrics.ts'
import { createStoringKeeper } from '../../../../services/collector/store/storing-keeper.ts'
import type { ProduceRecord } from '../../../../services/core/kafka/log.ts'
import { DependencyError, type DependencyErrorCode } from '../../../../services/core/runtime/errors.ts'
import { createLogger } from '../../../../services/core/runtime/logger.ts'
import { createMetrics } from '../../../../services/core/runtime/metrics.ts'
import { createManualClock, type ManualClock, settle } from '../../../helpers/manual-clock.ts'
import { createMemoryStoreDisk, type MemoryStoreDisk } from '../../../helpers/memory-store-disk.ts'

const record = (text: string): ProduceRecord => ({
  topic: 'events.raw',
  partition: 0,
  key: 'k',
  value: Buffer.from(text),
})
const kafka = (code: DependencyErrorCode) => new DependencyError('kafka', code, `the broker is ${code}`)

/** Kafka as the test wants it: every send waits for, and fares like, what `onProduce` returns. */
async function world(
  given: { disk?: MemoryStoreDisk; clock?: ManualClock; bytesMax?: number; arrived?: string[] } = {},
) {
  const {
    disk = createMemoryStoreDisk(),
    clock = createManualClock(),
    bytesMax = 1_000_000,
    arrived = [],
  } = given
  /** A killed process has no effects any more. */
  const life = { isDead: false }
  const metrics = createMetrics()
  const logged: { level: number; msg: string }[] = []
  const logger = createLogger('test', 'debug', { write: (line) => void logged.push(JSON.parse(line)) })
  const log = await openSegmentLog(
    {
      disk: whileAlive(disk, () => life.isDead),
      clock,
      logger,
      metrics: createStoreMetrics(metrics),
      randomFill: (bytes) => void randomFillSync(bytes),
    },
    { topic: 'events.raw', bytesMax, ageMaxMs: 3_600_000, segmentBytes: 500, groupBytesMax: 1_000 },
  )
  let problem: string | null = null
  const state = {
    life,
    onProduce: async (_: readonly ProduceRecord[]): Promise<void> => {},
    arrived,
    logged,
    clock,
    disk,
    log,
    keeper: createStoringKeeper(
      {
        producer: {
          async produce(records) {
            await state.onProduce(records)
            if (life.isDead) await never()
            arrived.push(...records.map(({ value }) => `${value}`))
          },
        },
        log,
        watch: {
          note: (error) => {
            problem = error === null ? null : String(error)
          },
          problem: () => problem,
        },
        clock,
        random: () => 0,
        logger,
      },
      { patienceMs: 2_000, drainBytes: 300 },
    ),
  }
  return state
}

const away = async () => {
  throw kafka('outcome_unknown')
}
const never = () => new Promise<never>(() => {})

/** The disk as one process has it: nothing begins once the process is dead. */
function whileAlive(disk: MemoryStoreDisk, isDead: () => boolean): MemoryStoreDisk {
  return new Proxy(disk, {
    get(target, name) {
      const member = target[name as keyof MemoryStoreDisk] as unknown
      if (typeof member !== 'function') return member
      return (...given: unknown[]) => (isDead() ? never() : member(...given))
    },
  })
}

test('while Kafka acknowledges, nothing touches the disk', async () => {
  const { keeper, arrived, disk } = await world()
  expect(await keeper.keep([record('a'), record('b')])).toBe('kafka')
  expect([arrived, [...disk.files.keys()]]).toEqual([['a', 'b'], []])
})

test('what Kafka refuses for good is refused, and not stored', async () => {
  const opened = await world()
  for (const code of ['rejected', 'not_found'] as const) {
    opened.onProduce = async () => {
      throw kafka(code)
    }
    await expect(opened.keeper.keep([record('a')])).rejects.toMatchObject({ code })
  }
  expect([...opened.disk.files.keys()]).toEqual([])
})

test('the first failure stores all that is under way in the order of the calls, and answers once it is synced', async () => {
  const opened = await world()
  const { keeper, arrived, clock, disk } = opened
  const sends: (() => void)[] = []
  opened.onProduce = () =>
    new Promise((_, reject) => {
      sends.push(() => reject(kafka('outcome_unknown')))
    })
  const synced = Promise.withResolvers<void>()
  disk.onCall = (operation) => (operation === 'sync' ? synced.promise : undefined)
  const answers: string[] = []
  for (const text of ['a', 'b', 'c'])
    void keeper.keep([record(text)]).then((kept) => answers.push(`${text} ${kept}`))
  await settle()
  sends[1]!()
  await settle()
  void keeper.keep([record('d')]).then((kept) => answers.push(`d ${kept}`))
  await settle()
  expect(answers).toEqual([])
  synced.resolve()
  await settle()
  expect(answers.sort()).toEqual(['a store', 'b store', 'c store', 'd store'])
  opened.onProduce = async () => {}
  // The batch that was being sent fails at last, and is sent again.
  for (const fail of sends) fail()
  await clock.advance(1_000)
  expect(arrived).toEqual(['a', 'b', 'c', 'd'])
  expect(await keeper.keep([record('e')])).toBe('kafka')
})

test('Kafka that only hangs is waited for as long as the patience lasts', async () => {
  const opened = await world()
  const { keeper, clock } = opened
  opened.onProduce = never
  const answers: string[] = []
  void keeper.keep([record('a')]).then((kept) => answers.push(kept))
  await clock.advance(1_999)
  expect(answers).toEqual([])
  await clock.advance(1)
  expect(answers).toEqual(['store'])
  expect(keeper.problem()).toBe(null)
})

test('an acknowledgement that comes after all answers a call before its sync, and not after', async () => {
  const opened = await world()
  const { keeper, clock, disk } = opened
  const late = Promise.withResolvers<void>()
  opened.onProduce = () => late.promise
  const synced = Promise.withResolvers<void>()
  disk.onCall = (operation) => (operation === 'sync' ? synced.promise : undefined)
  const kept = keeper.keep([record('a')])
  await clock.advance(2_000)
  late.resolve()
  expect(await kept).toBe('kafka')
  synced.resolve()
  await clock.advance(10)
  expect(await keeper.keep([record('b')])).toBe('kafka')
})

test('what is neither in Kafka nor in the store for sure is unknown, also where the store is full', async () => {
  const opened = await world({ bytesMax: 10 })
  const { keeper, clock } = opened
  opened.onProduce = away
  await expect(keeper.keep([record('a')])).rejects.toMatchObject({ code: 'outcome_unknown' })
  // Kafka is still away: nothing is sent to it, so nothing was taken.
  await expect(keeper.keep([record('b')])).rejects.toMatchObject({ dependency: 'disk', code: 'overloaded' })
  await clock.advance(10_000)
  await expect(keeper.keep([record('c')])).rejects.toMatchObject({ dependency: 'disk', code: 'overloaded' })
})

test('a store that cannot be written makes the process unwell until Kafka is back', async () => {
  const opened = await world()
  const { keeper, disk, clock } = opened
  disk.onCall = (operation) => {
    if (operation === 'create') throw new DependencyError('disk', 'read_only', 'ENOSPC')
  }
  opened.onProduce = away
  await expect(keeper.keep([record('a')])).rejects.toMatchObject({ code: 'outcome_unknown' })
  await expect(keeper.keep([record('b')])).rejects.toMatchObject({ code: 'read_only' })
  expect(keeper.problem()).toMatch(/disk failed: ENOSPC/)
  await clock.advance(1_000)
  disk.onCall = () => {}
  opened.onProduce = async () => {}
  expect(await keeper.keep([record('c')])).toBe('store')
  await clock.advance(10_000)
  expect(await keeper.keep([record('d')])).toBe('kafka')
  expect(opened.arrived).toEqual(['c', 'd'])
})

test('what comes while the last batch is sent waits for it; where that fails it is stored behind it', async () => {
  const opened = await world()
  const { keeper, clock, arrived } = opened
  opened.onProduce = away
  expect(await keeper.keep([record('a')])).toBe('store')
  const texts = Array.from({ length: 14 }, (_, n) => `${n}`)
  for (const text of texts) expect(await keeper.keep([record(text)])).toBe('store')
  const sends: { resolve: () => void; reject: (error: unknown) => void }[] = []
  opened.onProduce = () => new Promise((resolve, reject) => sends.push({ resolve, reject }))
  await clock.advance(400)
  sends[0]!.resolve()
  await settle()
  // The rest fits into one batch, which is under way.
  expect(arrived).toHaveLength(9)
  expect(sends).toHaveLength(2)
  const answers: string[] = []
  void keeper.keep([record('waits')]).then((kept) => answers.push(kept))
  await settle()
  expect(answers).toEqual([])
  sends[1]!.reject(kafka('outcome_unknown'))
  await settle()
  expect(answers).toEqual(['store'])
  opened.onProduce = async () => {}
  await clock.advance(10_000)
  expect(arrived).toEqual(['a', ...texts, 'waits'])
})

test('the direct way is not taken while something still waits for its sync', async () => {
  const opened = await world()
  const { keeper, clock, arrived, disk } = opened
  opened.onProduce = away
  await keeper.keep([record('a')])
  opened.onProduce = async () => {}
  const synced = Promise.withResolvers<void>()
  disk.onCall = (operation) => (operation === 'sync' ? synced.promise : undefined)
  const kept = [keeper.keep([record('b')])]
  await clock.advance(1_000)
  kept.push(keeper.keep([record('c')]))
  await clock.advance(10)
  expect(arrived).toEqual(['a'])
  synced.resolve()
  await clock.advance(10_000)
  expect(await Promise.all(kept)).toEqual(['store', 'kafka'])
  expect(arrived).toEqual(['a', 'b', 'c'])
})

test('a store that an earlier process left is sent first', async () => {
  const before = await world()
  before.onProduce = away
  for (const text of ['a', 'b', 'c']) await before.keeper.keep([record(text)])
  before.disk.cutPower(() => 0)
  const after = await world({ disk: before.disk })
  const kept = after.keeper.keep([record('d')])
  await after.clock.advance(1_000)
  expect(await kept).toMatch(/store|kafka/)
  expect(after.arrived).toEqual(['a', 'b', 'c', 'd'])
  await after.keeper.close()
  expect([...after.disk.files.keys()]).toEqual(['position'])
})

test('what Kafka refuses out of the store is told as an error and kept', async () => {
  const opened = await world()
  opened.onProduce = away
  await opened.keeper.keep([record('a')])
  opened.onProduce = async () => {
    throw kafka('rejected')
  }
  await opened.clock.advance(60_000)
  expect(opened.logged.some(({ level, msg }) => level === 50 && /nothing is dropped/.test(msg))).toBe(true)
  opened.onProduce = async () => {}
  await opened.clock.advance(10_000)
  expect(opened.arrived).toEqual(['a'])
})

test('closing leaves what is stored, and does not wait for Kafka longer than one send', async () => {
  const opened = await world()
  opened.onProduce = away
  await opened.keeper.keep([record('a')])
  await opened.keeper.close()
  expect([...opened.disk.files.keys()].filter((name) => name.endsWith('.segment'))).toHaveLength(1)
})

test('through any outages and kills every answered record arrives, and what was answered stays before what was sent after', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.constantFrom('keep', 'keep', 'keep', 'fail', 'heal', 'hang', 'kill', 'wait', 'long'), {
        minLength: 10,
        maxLength: 60,
        size: 'max',
      }),
      fc.nat(),
      async (steps, seed) => {
        const arrived: string[] = []
        const answered: string[] = []
        /** What was answered when each was sent. */
        const earlier = new Map<string, readonly string[]>()
        let asked = 0
        let kafkaIs: 'there' | 'failing' | 'hanging' = 'there'
        const start = async (disk = createMemoryStoreDisk(), clock = createManualClock()) => {
          const process = await world({ disk, clock, arrived })
          const fate = async (records: readonly ProduceRecord[]) => {
            if (kafkaIs === 'there') return
            if (kafkaIs === 'hanging') await process.clock.sleep(10_000)
            // A failed send may arrive all the same.
            if ((seed + asked) % 2 === 0) arrived.push(...records.map(({ value }) => `${value}`))
            throw kafka('outcome_unknown')
          }
          // As the port promises: one partition, one line.
          let line: Promise<unknown> = Promise.resolve()
          process.onProduce = (records) => {
            const sent = line.then(() => fate(records))
            line = sent.then(macrotask, macrotask)
            return sent
          }
          return process
        }
        let process = await start()
        for (const step of steps) {
          if (step === 'keep') {
            const text = `${asked++}`
            earlier.set(text, [...answered])
            const sender = process
            void sender.keeper.keep([record(text)]).then(
              () => sender.life.isDead || answered.push(text),
              () => {},
            )
          }
          if (step === 'fail') kafkaIs = 'failing'
          if (step === 'hang') kafkaIs = 'hanging'
          if (step === 'heal') kafkaIs = 'there'
          if (step === 'kill') {
            process.life.isDead = true
            await settle()
            process.disk.cutPower((bytes) => seed % (bytes + 1))
            process = await start(process.disk, createManualClock(process.clock.now()))
          }
          if (step === 'wait') await process.clock.advance(50)
          if (step === 'long') await process.clock.advance(2_500)
        }
        kafkaIs = 'there'
        await process.clock.advance(60_000)
        expect(answered.filter((text) => !arrived.includes(text))).toEqual([])
        for (const [text, before] of earlier)
          if (arrived.includes(text))
            for (const one of before) expect(arrived.indexOf(one)).toBeLessThan(arrived.indexOf(text))
      },
    ),
    { numRuns: 60 },
  )
})
