import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import type { Position, RecordBatch } from '../../../../services/core/kafka/log.ts'
import type { Cluster } from '../../../../services/core/kafka/wire/cluster.ts'
import { int64To, WireReader, WireWriter } from '../../../../services/core/kafka/wire/codec.ts'
import { CODES } from '../../../../services/core/kafka/wire/errors.ts'
import { createFetcher, type Fetcher } from '../../../../services/core/kafka/wire/fetcher.ts'
import { BATCH } from '../../../../services/core/kafka/wire/records.ts'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import { createLogger } from '../../../../services/core/runtime/logger.ts'
import { encodeRecordBatch } from '../../../helpers/record-batch.ts'

const logger = createLogger('test', 'error')
const VALUE = Buffer.alloc(100, 'v')

interface Asked {
  readonly broker: number
  readonly bytesMax: number
  readonly positions: readonly Position[]
}

interface Answer {
  readonly code?: number
  readonly bytes?: Buffer
  readonly lastStableOffset?: number
}

const open: Fetcher[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((fetcher) => fetcher.close()))
})

/** One record batch a partition holds `size` records of, read from `offset` on. */
function batchAt(offset: number, size = 2): Buffer {
  const records = Array.from({ length: size }, () => ({ topic: 't', partition: 0, key: null, value: VALUE }))
  const author = { producerId: 1, producerEpoch: 0, firstSequence: 0, isTransactional: false }
  const batch = encodeRecordBatch(records.slice(0, size), 1, author)
  int64To(batch, BATCH.baseOffset, offset)
  return batch
}

/** A cluster whose brokers answer as `answer` says; partition 0 of `t` is led by broker 1 at first. */
function clusterOf(answer: (asked: Asked, position: Position) => Answer | Promise<Answer>) {
  const asked: Asked[] = []
  const state = { leader: 1, metadataCode: 0, asked }
  let closed = false
  const cluster: Cluster = {
    async metadata(topics) {
      return (topics ?? []).map((topic) => ({
        topic,
        topicId: '',
        code: state.metadataCode,
        leaders: state.metadataCode === 0 ? [state.leader, state.leader, state.leader] : [],
        replicas: 1,
      }))
    },
    async ask(broker, _api, body) {
      if (closed) throw new DependencyError('kafka', 'unavailable', 'closed')
      const question = { broker, ...decodeRequest(body.written) }
      asked.push(question)
      const answers = []
      for (const position of question.positions)
        answers.push({ position, ...(await answer(question, position)) })
      if (answers.every(({ bytes, code }) => !bytes && !code)) await pause(5)
      return new WireReader(Buffer.from(encodeAnswer(answers).written))
    },
    askAnyone: () => Promise.reject(new Error('not asked here')),
    askController: () => Promise.reject(new Error('not asked here')),
    feature: () => Promise.reject(new Error('not asked here')),
    coordinator: () => Promise.reject(new Error('not asked here')),
    close() {
      closed = true
    },
  }
  return { cluster, state }
}

function decodeRequest(body: Buffer): Omit<Asked, 'broker'> {
  const reader = new WireReader(body, 12)
  const bytesMax = reader.int32()
  expect(reader.int8()).toBe(1) // read_committed
  reader.skip(8)
  const positions: Position[] = []
  reader.array(() => {
    const topic = reader.string()
    reader.array(() => {
      const partition = reader.int32()
      reader.int32()
      positions.push({ topic, partition, offset: reader.int64() })
      reader.skip(16)
      reader.tags()
    })
    reader.tags()
  })
  return { bytesMax, positions }
}

function encodeAnswer(answers: readonly (Answer & { position: Position })[]): WireWriter {
  const writer = new WireWriter().int32(0).int16(0).int32(0)
  return writer
    .array(answers, ({ position, code = 0, bytes, lastStableOffset = 1_000 }) => {
      writer.string(position.topic)
      writer.array([0], () => {
        writer.int32(position.partition).int16(code).int64(1_000).int64(lastStableOffset).int64(0)
        writer
          .uvarint(0)
          .int32(-1)
          .bytes(bytes ?? Buffer.alloc(0))
          .noTags()
      })
      writer.noTags()
    })
    .noTags()
}

function fetcherOf(cluster: Cluster, bytesMax = 1_000_000, partitionBytesMax = 100_000): Fetcher {
  const fetcher = createFetcher(cluster, { bytesMax, partitionBytesMax }, logger)
  open.push(fetcher)
  return fetcher
}

const at = (offset: number, partition = 0): Position => ({ topic: 't', partition, offset })
const offsetsOf = (batches: readonly RecordBatch[]) =>
  batches.flatMap((batch) => Array.from({ length: batch.length }, (_, index) => batch.offset(index)))

/** Takes until `done`, for at most five seconds. */
async function takeUntil(fetcher: Fetcher, done: (taken: RecordBatch[]) => boolean, recordsMax = 100) {
  const taken: RecordBatch[] = []
  const deadline = performance.now() + 5_000
  while (!done(taken)) {
    if (performance.now() > deadline) throw new Error(`Not done after ${taken.length} batches.`)
    await fetcher.ready(20)
    taken.push(...fetcher.take(recordsMax))
  }
  return taken
}
const atLeast = (count: number) => (taken: RecordBatch[]) => offsetsOf(taken).length >= count

test('records come in order, each once, however few are taken at a time', async () => {
  const { cluster } = clusterOf((_, { offset }) => (offset < 40 ? { bytes: batchAt(offset, 4) } : {}))
  for (const recordsMax of [1, 3, 100]) {
    const fetcher = fetcherOf(cluster)
    fetcher.add([at(0)])
    const taken = await takeUntil(fetcher, atLeast(40), recordsMax)
    expect(taken.every((batch) => batch.length <= recordsMax)).toBe(true)
    expect(offsetsOf(taken)).toEqual(Array.from({ length: 40 }, (_, n) => n))
  }
})

test('no more is fetched ahead than the bound and one batch', async () => {
  const batch = batchAt(0, 50)
  const { cluster, state } = clusterOf((_, { offset }) => ({ bytes: batchAt(offset, 50) }))
  const fetcher = fetcherOf(cluster, batch.length * 3, 1_000_000)
  fetcher.add([at(0)])
  await pause(100)
  expect(state.asked.length).toBe(3)
  expect(state.asked.map(({ bytesMax }) => bytesMax)).toEqual([3, 2, 1].map((n) => n * batch.length))
  fetcher.take(50)
  await pause(50)
  expect(state.asked.length).toBe(4)
})

test('a partition of which enough lies here is left out while others are fetched', async () => {
  const size = batchAt(0, 50).length
  const { cluster, state } = clusterOf((_, { offset, partition }) =>
    partition === 0 ? { bytes: batchAt(offset, 50) } : {},
  )
  const fetcher = fetcherOf(cluster, 1_000_000, size * 2)
  fetcher.add([at(0, 0), at(0, 1)])
  await pause(100)
  const last = state.asked.at(-1) as Asked
  expect(last.positions.map(({ partition }) => partition)).toEqual([1])
  fetcher.take(1_000)
  await pause(50)
  expect(state.asked.slice(-20).some(({ positions }) => positions.length === 2)).toBe(true)
})

test('a paused partition is neither fetched nor taken, and goes on where it was', async () => {
  const { cluster, state } = clusterOf((_, { offset }) => pause(1, { bytes: batchAt(offset) }))
  const fetcher = fetcherOf(cluster, 100_000_000, 100_000_000)
  fetcher.add([at(0)])
  await fetcher.ready(1_000)
  fetcher.pause([at(0)])
  await pause(30)
  const before = state.asked.length
  expect(fetcher.take(10)).toEqual([])
  await pause(30)
  expect(state.asked.length).toBe(before)
  fetcher.resume([at(0)])
  expect(offsetsOf(await takeUntil(fetcher, atLeast(6))).slice(0, 6)).toEqual([0, 1, 2, 3, 4, 5])
})

test('what was asked before a partition moved is dropped', async () => {
  const gate = Promise.withResolvers<void>()
  const { cluster } = clusterOf(async (_, { offset }) => {
    if (offset === 500) await gate.promise
    return { bytes: batchAt(offset) }
  })
  const fetcher = fetcherOf(cluster)
  fetcher.add([at(500)])
  await pause(20)
  fetcher.add([at(0)])
  gate.resolve()
  expect(offsetsOf(await takeUntil(fetcher, atLeast(4))).slice(0, 4)).toEqual([0, 1, 2, 3])
})

test('a partition that is removed hands nothing out', async () => {
  const { cluster } = clusterOf((_, { offset }) => ({ bytes: batchAt(offset) }))
  const fetcher = fetcherOf(cluster)
  fetcher.add([at(0, 0), at(0, 1)])
  await fetcher.ready(1_000)
  fetcher.remove([at(0, 1)])
  const taken = await takeUntil(fetcher, atLeast(20))
  expect(new Set(taken.map(({ partition }) => partition))).toEqual(new Set([0]))
})

test('a new leader is found, and a broken connection mended', async () => {
  let failures = 2
  const { cluster, state } = clusterOf(({ broker }, { offset }) => {
    if (broker === 1 && offset >= 4) {
      state.leader = 2
      return { code: CODES.NOT_LEADER_OR_FOLLOWER }
    }
    if (broker === 2 && failures-- > 0) throw new DependencyError('kafka', 'unavailable', 'gone')
    return { bytes: batchAt(offset) }
  })
  const fetcher = fetcherOf(cluster)
  fetcher.add([at(0)])
  expect(offsetsOf(await takeUntil(fetcher, atLeast(8))).slice(0, 8)).toEqual([0, 1, 2, 3, 4, 5, 6, 7])
  expect(state.asked.some(({ broker }) => broker === 2)).toBe(true)
})

test('a refusal of one partition is told once, and others go on', async () => {
  const { cluster, state } = clusterOf((_, { offset, partition }) =>
    partition === 0 ? { code: 1 } : { bytes: batchAt(offset) },
  )
  const fetcher = fetcherOf(cluster)
  fetcher.add([at(7, 0), at(0, 1)])
  const told: unknown[] = []
  const taken: RecordBatch[] = []
  for (let n = 0; n < 20; n++) {
    await fetcher.ready(20)
    try {
      taken.push(...fetcher.take(10))
    } catch (error) {
      told.push(error)
    }
  }
  expect(told).toHaveLength(1)
  expect(told[0]).toMatchObject({ code: 'not_found', message: expect.stringContaining('t/0 from offset 7') })
  expect(offsetsOf(taken).length).toBeGreaterThan(20)
  expect(
    state.asked.filter(({ positions }) => positions.some(({ partition }) => partition === 0)),
  ).toHaveLength(1)
})

test('what cannot be read is told as corrupt, after what came before it', async () => {
  const broken = batchAt(2)
  broken[BATCH.magic] = 9
  const { cluster } = clusterOf((_, { offset }) =>
    offset === 0 ? { bytes: Buffer.concat([batchAt(0), broken]) } : {},
  )
  const fetcher = fetcherOf(cluster)
  fetcher.add([at(0)])
  expect(offsetsOf(await takeUntil(fetcher, atLeast(2)))).toEqual([0, 1])
  expect(() => fetcher.take(10)).toThrow(expect.objectContaining({ code: 'corrupt' }))
})

test('the position passes what compaction took, but only where nothing was left out', async () => {
  const { cluster } = clusterOf((_, { offset, partition }) =>
    partition === 1 && offset < 50
      ? { bytes: batchAt(offset), lastStableOffset: 52 }
      : { lastStableOffset: partition === 0 ? 33 : 52 },
  )
  const fetcher = fetcherOf(cluster)
  fetcher.add([at(20, 0), at(0, 1)])
  expect(fetcher.position(at(0, 0))).toBe(20)
  await takeUntil(fetcher, atLeast(40))
  expect(fetcher.position(at(0, 0))).toBe(20)
  await takeUntil(fetcher, () => fetcher.position(at(0, 0)) === 33)
  expect(fetcher.position(at(0, 1))).toBe(52)
})

test('a topic that stays unknown is an error; one that is only late is waited for', async () => {
  const { cluster, state } = clusterOf((_, { offset }) => ({ bytes: batchAt(offset) }))
  state.metadataCode = CODES.UNKNOWN_TOPIC_OR_PARTITION
  const fetcher = fetcherOf(cluster)
  fetcher.add([at(0)])
  await pause(150)
  expect(fetcher.take(10)).toEqual([])
  state.metadataCode = 0
  expect(offsetsOf(await takeUntil(fetcher, atLeast(2))).slice(0, 2)).toEqual([0, 1])
})
