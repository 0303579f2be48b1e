import { randomFillSync } from 'node:crypto'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  openSegmentLog,
  type SegmentLog,
  type SegmentLogOptions,
} from '../../../../services/collector/store/segment-log.ts'
import { createStoreMetrics } from '../../../../services/collector/store/store-metrics.ts'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import { createLogger } from '../../../../services/core/runtime/logger.ts'
import { createMetrics } from '../../../../services/core/runtime/metrics.ts'
import { createManualClock, settle } from '../../../helpers/manual-clock.ts'
import { createMemoryStoreDisk } from '../../../helpers/memory-store-disk.ts'

const TOPIC = 'events.raw'
const record = (text: string, partition = 0) => ({
  topic: TOPIC,
  partition,
  key: `key of ${text}`,
  value: Buffer.from(text),
  headers: { event_id: text },
})

function world(more: Partial<SegmentLogOptions> = {}) {
  const disk = createMemoryStoreDisk()
  const clock = createManualClock()
  const metrics = createMetrics()
  const logged: { level: number; msg: string; bytes?: number }[] = []
  const logger = createLogger('test', 'debug', { write: (line) => void logged.push(JSON.parse(line)) })
  const options = {
    topic: TOPIC,
    bytesMax: 1_000_000,
    ageMaxMs: 3_600_000,
    segmentBytes: 600,
    groupBytesMax: 10_000,
    ...more,
  }
  const env = {
    disk,
    clock,
    logger,
    metrics: createStoreMetrics(metrics),
    randomFill: (bytes: Uint8Array) => void randomFillSync(bytes),
  }
  return {
    disk,
    clock,
    logged,
    open: (topic = TOPIC) => openSegmentLog(env, { ...options, topic }),
    async metric(name: string) {
      const line = (await metrics.expose()).split('\n').find((each) => each.startsWith(name))
      return Number(line?.slice(line.lastIndexOf(' ') + 1))
    },
  }
}

/** Reads and acknowledges to the end. */
async function drain(log: SegmentLog, bytesMax = 200): Promise<string[]> {
  const texts: string[] = []
  for (;;) {
    const batch = await log.read(bytesMax)
    if (batch === null) return texts
    texts.push(...batch.records.map(({ value }) => `${value}`))
    await log.acknowledge(batch)
  }
}

const segmentsOf = (disk: { files: Map<string, Buffer> }) =>
  [...disk.files.keys()].filter((name) => name.endsWith('.segment'))
const failing = (code: 'read_only' | 'unavailable', message: string) =>
  new DependencyError('disk', code, message)

test('whatever moment the power goes at, what was answered comes back once and in order', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 12 }),
      fc.nat(60),
      fc.nat(),
      fc.nat(2),
      async (sizes, cutAfter, keep, drained) => {
        const { disk, open } = world({ groupBytesMax: 400 })
        let calls = 0
        const gone = new Promise<never>(() => {})
        disk.onCall = () => (++calls > cutAfter ? gone : undefined)
        const asked: string[] = []
        const answered: string[] = []
        const acknowledged: string[] = []
        const running = (async () => {
          const log = await open()
          sizes.forEach((size, n) => {
            const texts = Array.from({ length: size }, (_, index) => `${n}.${index}`)
            asked.push(...texts)
            void log.append(texts.map((text) => record(text))).then(() => answered.push(...texts))
          })
          for (let batch = 0; batch < drained; batch++) {
            await settle()
            const read = await log.read(300)
            if (read === null) return
            acknowledged.push(...read.records.map(({ value }) => `${value}`))
            await log.acknowledge(read)
          }
        })()
        await Promise.race([running, settle()])
        await settle()
        disk.onCall = () => {}
        disk.cutPower((bytes) => keep % (bytes + 1))
        const found = await drain(await open())
        // A beginning may come again when the power went before the position was written.
        if (found.length > 0) {
          const again = asked.indexOf(found[0]!)
          expect(again).toBeLessThanOrEqual(acknowledged.length)
          expect(found).toEqual(asked.slice(again, again + found.length))
        }
        expect([...new Set([...acknowledged, ...found])]).toEqual(expect.arrayContaining(answered))
      },
    ),
    { numRuns: 300 },
  )
})

test('a killed process leaves its answers to the next, which sends only what was not acknowledged', async () => {
  const { disk, open } = world()
  const first = await open()
  const texts = Array.from({ length: 30 }, (_, n) => `event ${n}`)
  for (const text of texts) await first.append([record(text, 3)])
  const batch = await first.read(400)
  await first.acknowledge(batch!)
  const sent = batch!.records.length
  expect(batch!.records[0]).toMatchObject({
    partition: 3,
    key: Buffer.from('key of event 0'),
    headers: { event_id: 'event 0' },
  })
  const second = await open()
  expect(await drain(second)).toEqual(texts.slice(sent))
  await second.clear()
  expect(segmentsOf(disk)).toEqual([])
  await second.append([record('later')])
  const third = await open()
  expect(await drain(third)).toEqual(['later'])
})

test('appends that come during a sync share the next one', async () => {
  const { disk, open } = world({ segmentBytes: 1_000_000 })
  const log = await open()
  const first = Promise.withResolvers<void>()
  disk.onCall = (operation) => (operation === 'sync' ? first.promise : undefined)
  const appends = Array.from({ length: 50 }, (_, n) => log.append([record(`${n}`)]))
  await settle()
  disk.onCall = () => {}
  first.resolve()
  await Promise.all(appends)
  expect(disk.syncs).toBe(2)
  expect(await drain(log, 100)).toEqual(Array.from({ length: 50 }, (_, n) => `${n}`))
})

test('after a failed sync its records are unknown, and that file is not written again', async () => {
  const { disk, open, clock, logged } = world({ segmentBytes: 1_000_000 })
  const log = await open()
  await log.append([record('safe')])
  const [before] = segmentsOf(disk)
  disk.onCall = (operation) => {
    if (operation === 'sync') throw failing('unavailable', 'EIO')
  }
  await expect(log.append([record('lost')])).rejects.toMatchObject({ code: 'outcome_unknown' })
  disk.onCall = () => {}
  expect(log.problem()).toMatch(/disk failed: EIO/)
  // At once it is not even tried.
  await expect(log.append([record('early')])).rejects.toMatchObject({ code: 'read_only' })
  await clock.advance(1_000)
  const written: string[] = []
  disk.onCall = (operation, name) => {
    if (operation === 'append') written.push(name)
  }
  await log.append([record('after')])
  expect(log.problem()).toBe(null)
  expect(new Set(written).size).toBe(1)
  expect(written[0]).not.toBe(before)
  expect(await drain(log)).toEqual(['safe', 'after'])
  expect(logged.map(({ level }) => level)).toEqual([50])
})

test('a disk that takes no new file leaves nothing, and is asked again after a rest', async () => {
  const { disk, open, clock, metric } = world()
  const log = await open()
  let full = true
  disk.onCall = (operation) => {
    if (full && operation === 'create') throw failing('read_only', 'ENOSPC')
  }
  await expect(log.append([record('a')])).rejects.toMatchObject({ code: 'read_only' })
  expect(await metric('millrace_collector_store_failures_total')).toBe(1)
  full = false
  await clock.advance(1_000)
  await log.append([record('b')])
  expect(await drain(log)).toEqual(['b'])
})

test('what waits behind a failed sync is refused at once, and has cost the disk no further try', async () => {
  const { disk, open } = world({ groupBytesMax: 1 })
  const log = await open()
  const tried: string[] = []
  const failed = Promise.withResolvers<void>()
  disk.onCall = async (operation) => {
    tried.push(operation)
    if (operation !== 'sync') return
    await failed.promise
    throw failing('unavailable', 'EIO')
  }
  const answers = ['a', 'b', 'c'].map((text) =>
    log.append([record(text)]).catch(({ code }: DependencyError) => code),
  )
  await settle()
  failed.resolve()
  expect(await Promise.all(answers)).toEqual(['outcome_unknown', 'read_only', 'read_only'])
  expect(log.pendingBytes).toBe(0)
  await settle()
  expect(tried).toEqual(['create', 'append', 'append', 'sync', 'remove'])
})

test('a disk that stays full is left no file of each try, and the next start finds nothing wrong', async () => {
  const { disk, open, clock, logged } = world()
  const log = await open()
  await log.append([record('a')])
  const before = segmentsOf(disk)
  // Names are made, their content finds no room.
  disk.onCall = (operation) => {
    if (operation === 'append') throw failing('read_only', 'ENOSPC')
  }
  for (let tries = 0; tries < 10; tries++) {
    await expect(log.append([record('b')])).rejects.toMatchObject({ dependency: 'disk' })
    await clock.advance(1_000)
  }
  expect(segmentsOf(disk)).toEqual(before)
  disk.onCall = () => {}
  await log.append([record('c')])
  logged.length = 0
  expect(await drain(await open())).toEqual(['a', 'c'])
  expect(logged).toEqual([])
})

test('a disk that fills in the middle of a write answers unknown, and goes on where it has room', async () => {
  const { disk, open, clock } = world()
  const log = await open()
  await log.append([record('a')])
  const [name] = segmentsOf(disk)
  disk.onCall = (operation) => {
    if (operation !== 'append') return
    disk.files.set(name!, Buffer.concat([disk.files.get(name!)!, Buffer.from('half of it')]))
    throw failing('read_only', 'ENOSPC')
  }
  await expect(log.append([record('b')])).rejects.toMatchObject({ code: 'outcome_unknown' })
  disk.onCall = () => {}
  await clock.advance(1_000)
  await log.append([record('c')])
  const next = await open()
  expect(await drain(next)).toEqual(['a', 'c'])
})

test('the bound of bytes is kept, and room comes back with acknowledgements', async () => {
  const { open } = world({ bytesMax: 2_000 })
  const log = await open()
  let taken = 0
  const fill = async () => {
    for (;;) {
      await log.append([record(`${taken}`.padStart(100, '0'))])
      taken++
    }
  }
  await expect(fill()).rejects.toMatchObject({ code: 'overloaded' })
  expect(log.pendingBytes).toBeLessThanOrEqual(2_000)
  expect(taken).toBeGreaterThan(3)
  await log.acknowledge((await log.read(500))!)
  await log.append([record('x')])
  expect(log.problem()).toBe(null)
})

test('nothing more is taken once the oldest waits too long, and something is when it is gone', async () => {
  const { open, clock } = world({ ageMaxMs: 60_000 })
  const log = await open()
  await log.append([record('a')])
  await clock.advance(60_000)
  await log.append([record('b')])
  await clock.advance(1)
  await expect(log.append([record('c')])).rejects.toMatchObject({ code: 'overloaded' })
  expect(log.problem()).toMatch(/wait for Kafka since 2026-01-01T00:00:00.000Z/)
  expect(await drain(log)).toEqual(['a', 'b'])
  await log.append([record('c')])
})

test('damage in the middle costs the records that it is in, and is told', async () => {
  const { disk, open, logged, metric } = world()
  const log = await open()
  const texts = Array.from({ length: 20 }, (_, n) => `event ${n}`)
  for (const text of texts) await log.append([record(text)])
  const [name] = segmentsOf(disk)
  const bytes = disk.files.get(name!)!
  bytes[bytes.indexOf('event 2"')] = 0
  const next = await open()
  expect(await drain(next)).toEqual(texts.filter((text) => text !== 'event 2'))
  expect(logged.map(({ level, msg }) => [level, /damaged/.test(msg)])).toEqual([[50, true]])
  expect(await metric('millrace_collector_store_skipped_bytes_total{reason="damaged"}')).toBe(
    logged[0]!.bytes,
  )
})

test('a torn tail is cut at start, counted, and not damage at the start after', async () => {
  const { disk, open, logged, metric } = world()
  const log = await open()
  await log.append([record('whole')])
  const [name] = segmentsOf(disk)
  const whole = disk.files.get(name!)!
  disk.files.set(name!, Buffer.concat([whole, whole.subarray(-60, -10)]))
  await open()
  expect(disk.files.get(name!)).toEqual(whole)
  expect(logged.map(({ level, bytes }) => [level, bytes])).toEqual([[40, 50]])
  expect(await metric('millrace_collector_store_skipped_bytes_total{reason="torn"}')).toBe(50)
  expect(await drain(await open())).toEqual(['whole'])
  expect(logged).toHaveLength(1)
})

test('a segment without header or that cannot be read is set aside, the others are sent', async () => {
  const { disk, open, logged } = world()
  const log = await open()
  const texts = Array.from({ length: 24 }, (_, n) => `event ${n}`)
  for (const text of texts) await log.append([record(text)])
  const names = segmentsOf(disk)
  expect(names.length).toBeGreaterThan(3)
  disk.files.get(names[0]!)![10] = 0
  disk.onCall = (operation, name) => {
    if (operation === 'read' && name === names[1] && reads++ > 0) throw failing('unavailable', 'EIO')
  }
  let reads = 0
  const next = await open()
  await expect(next.read(200)).rejects.toMatchObject({ dependency: 'disk' })
  await expect(next.read(200)).rejects.toMatchObject({ dependency: 'disk' })
  const found = await drain(next)
  expect(found).toEqual(texts.slice(-found.length))
  expect([...disk.files.keys()].filter((name) => name.endsWith('.unreadable'))).toEqual([
    `${names[0]}.unreadable`,
    `${names[1]}.unreadable`,
  ])
  expect(logged.map(({ level }) => level)).toEqual([50, 50])
})

test('the segment being written is set aside while appends go on and on', async () => {
  const { disk, open } = world({ segmentBytes: 1_000_000 })
  const log = await open()
  await log.append([record('first')])
  const [name] = segmentsOf(disk)
  disk.onCall = (operation, of) => {
    if (operation === 'read' && of === name) throw failing('unavailable', 'EIO')
    // Time passes, so that something always waits.
    return operation === 'sync' ? settle() : undefined
  }
  let rounds = 0
  let isOver = false
  const flows = ['x', 'y'].map(async (who) => {
    for (let n = 0; n < 50 && !isOver; n++) {
      await log.append([record(`${who}${n}`)])
      rounds++
    }
  })
  for (let tries = 1; tries < 3; tries++) await expect(log.read(200)).rejects.toThrow('EIO')
  await log.read(200)
  expect([...disk.files.keys()]).toContain(`${name}.unreadable`)
  expect(rounds).toBeLessThan(50)
  isOver = true
  await Promise.all(flows)
})

test('the number of a segment that was set aside is not used again', async () => {
  const { disk, open } = world()
  await (await open()).append([record('a')])
  const [name] = segmentsOf(disk)
  disk.files.get(name!)![10]! ^= 1
  await open()
  const log = await open()
  await log.append([record('b')])
  expect([...disk.files.keys()]).toEqual([`${name}.unreadable`, '000000000002.segment'])
})

test('a last segment that begins with zeros and has something behind them was not torn, and is kept', async () => {
  const { disk, open, logged } = world({ segmentBytes: 1_000_000 })
  const log = await open()
  for (let n = 0; n < 20; n++) await log.append([record(`${n}`.padStart(100, '0'))])
  const [name] = segmentsOf(disk)
  const bytes = disk.files.get(name!)!.fill(0, 0, 1_500)
  expect(await drain(await open())).toEqual([])
  expect(disk.files.get(`${name}.unreadable`)).toEqual(bytes)
  expect(logged.map(({ level }) => level)).toEqual([50])
})

test('a last segment whose header was never synced was answered to nobody', async () => {
  const { disk, open, logged } = world()
  const log = await open()
  await log.append([record('a')])
  const [name] = segmentsOf(disk)
  const found: string[][] = []
  for (const rest of [disk.files.get(name!)!.subarray(0, 30), Buffer.alloc(200), Buffer.alloc(0)]) {
    disk.files.set('000000000007.segment', rest)
    found.push(await drain(await open()))
  }
  expect(found).toEqual([['a'], [], []])
  expect(logged.map(({ level }) => level)).toEqual([40, 40, 40])
  expect(segmentsOf(disk)).toEqual([])
})

test('a store of another topic is refused', async () => {
  const { open } = world()
  await (await open()).append([record('a')])
  await expect(open('acme.events.raw')).rejects.toMatchObject({ code: 'rejected' })
})

test('without a readable position everything that is there is sent again', async () => {
  const { disk, open } = world()
  const log = await open()
  for (const text of ['a', 'b', 'c']) await log.append([record(text)])
  await log.acknowledge((await log.read(10))!)
  disk.files.set('position', Buffer.from('{"segm'))
  expect(await drain(await open())).toEqual(['a', 'b', 'c'])
})
