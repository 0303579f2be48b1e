import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { afterEach, beforeAll, describe, expect, test } from 'vitest'
import type {
  GroupConsumer,
  GroupConsumerOptions,
  Log,
  Position,
  ProduceRecord,
  RecordBatch,
  TopicPartition,
  TransactionalProducer,
} from '../../services/core/kafka/log.ts'

export interface LogUnderTest {
  readonly log: Log
  /**
   * Makes the group forget a consumer that does not know it yet, as after a stop that was longer than the group
   * waits. The consumer must not have been polled meanwhile.
   */
  forget(consumer: GroupConsumer): Promise<void>
  /** A commit that the consumer sent under `membership` reaches the coordinator now. @returns whether it was taken */
  commitLate(
    consumer: GroupConsumer,
    groupId: string,
    membership: string,
    position: Position & { readonly metadata: string },
  ): Promise<boolean>
}

/** Longest wait for anything that must come, ms. */
const PATIENCE_MS = 30_000
/** So long nothing changes before a group counts as quiet, ms: longer than members take to hear of a rebalance. */
const QUIET_MS = 2_500
/** Longest pause between two polls of a consumer that is to be forgotten, ms. */
export const FORGETFUL_MS = 2_000

interface Read {
  readonly partition: number
  readonly offset: number
  readonly value: string
}

/** True once no membership changed over some looks: a rebalance may take more than one generation. */
function isQuiet(...members: readonly { readonly consumer: GroupConsumer }[]): () => boolean {
  const memberships = () => members.map(({ consumer }) => consumer.membership).join()
  let [last, since] = [memberships(), performance.now()]
  return () => {
    const now = memberships()
    if (now !== last) [last, since] = [now, performance.now()]
    return performance.now() - since > QUIET_MS
  }
}

/** Between two questions to the log, so that asking does not keep it from answering. */
const soon = () => pause(10)

const text = (value: Uint8Array | null) => (value === null ? 'null' : Buffer.from(value).toString())

function readsOf(batches: readonly RecordBatch[]): Read[] {
  return batches.flatMap((batch) =>
    Array.from({ length: batch.length }, (_, index) => ({
      partition: batch.partition,
      offset: batch.offset(index),
      value: text(batch.value(index)),
    })),
  )
}

const valuesOf = (reads: readonly Read[], partition = 0) =>
  reads.filter((read) => read.partition === partition).map((read) => read.value)

const numbered = (prefix: string, count: number) => Array.from({ length: count }, (_, n) => `${prefix}${n}`)

/**
 * What every log must do. The suite makes topics of its own and closes what it opens.
 *
 * @param only one section, for what is only a part of a log
 */
export function logContract(name: string, open: () => Promise<LogUnderTest>, only?: string): void {
  const section = (title: string, body: () => void) => {
    if (only === undefined || only === title) describe(title, body)
  }
  describe(`log contract: ${name}`, () => {
    let under: LogUnderTest
    let log: Log
    const opened: { close(): Promise<void> }[] = []
    beforeAll(async () => {
      under = await open()
      log = under.log
      return () => log.close()
    })
    afterEach(async () => {
      await Promise.all(opened.splice(0).map((client) => client.close()))
    })
    const closing = <T extends { close(): Promise<void> }>(client: T): T => {
      opened.push(client)
      return client
    }

    async function newTopic(partitions = 1, config: Record<string, string> = {}): Promise<string> {
      const topic = `contract-${randomUUID()}`
      await log.admin.createTopics([{ topic, partitions, replicationFactor: -1, config }])
      return topic
    }
    const newProducer = async (deliveryTimeoutMs = 20_000) =>
      closing(await log.openProducer({ clientId: 'contract', lingerMs: 2, deliveryTimeoutMs }))
    const newTransactional = async (id: string) =>
      closing(await log.openTransactionalProducer(id, { clientId: 'contract', transactionTimeoutMs: 20_000 }))
    const newReader = async (...positions: Position[]) => closing(await log.openReader(positions))
    const records = (topic: string, values: readonly string[], partition = 0): ProduceRecord[] =>
      values.map((value) => ({ topic, partition, key: null, value: Buffer.from(value) }))

    /** A member that starts at what is committed, else at 0, and keeps a list of what it was told. */
    async function newMember(topic: string, groupId: string, overrides: Partial<GroupConsumerOptions> = {}) {
      const told: string[] = []
      const numbers = (partitions: readonly TopicPartition[]) =>
        partitions.map((each) => each.partition).sort()
      const consumer = closing(
        await log.openGroupConsumer({
          groupId,
          clientId: 'contract',
          topics: [topic],
          sessionTimeoutMs: 6_000,
          maxPollIntervalMs: 20_000,
          pollRecordsMax: 500,
          pollWaitMs: 50,
          prefetchBytesMax: 4_000_000,
          onAssigned: async (partitions, own) => {
            told.push(`assigned ${numbers(partitions)}`)
            const positions = await own.committed(partitions)
            return positions.map(({ offset, ...where }) => ({ ...where, offset: offset ?? 0 }))
          },
          onRevoked: async (partitions, lost) => {
            told.push(`${lost ? 'lost' : 'revoked'} ${numbers(partitions)}`)
          },
          ...overrides,
        }),
      )
      return { consumer, told }
    }
    async function until(what: string, done: () => boolean | Promise<boolean>, step: () => Promise<unknown>) {
      const deadline = performance.now() + PATIENCE_MS
      while (!(await done())) {
        if (performance.now() > deadline) throw new Error(`This never came: ${what}.`)
        await step()
      }
    }
    /** Polls until `count` records came, and fails when more did. */
    async function take(consumer: GroupConsumer, count: number): Promise<Read[]> {
      const reads: Read[] = []
      await until(
        `${count} records`,
        () => reads.length >= count,
        async () => void reads.push(...readsOf(await consumer.poll())),
      )
      expect(reads).toHaveLength(count)
      return reads
    }
    async function takeNothing(consumer: GroupConsumer): Promise<void> {
      for (let n = 0; n < 8; n++) expect(readsOf(await consumer.poll())).toEqual([])
    }
    async function readTo(position: Position, end: number): Promise<Read[]> {
      const reader = await newReader(position)
      const reads: Read[] = []
      await until(
        `offset ${end}`,
        () => reader.position(position) >= end,
        async () => void reads.push(...readsOf(await reader.read(100))),
      )
      await reader.close()
      return reads
    }
    async function endOf(topic: string, isolation: 'read_committed' | 'read_uncommitted', partition = 0) {
      const ranges = await log.admin.offsetRanges(topic, isolation)
      return ranges[partition]!.end
    }

    /** The end once no transaction is open: a commit resolves before its markers are in every partition. */
    async function settledEnd(topic: string): Promise<number> {
      let end = 0
      await until(
        'the end of every transaction',
        async () => {
          end = await endOf(topic, 'read_committed')
          return end === (await endOf(topic, 'read_uncommitted'))
        },
        soon,
      )
      return end
    }

    section('records', () => {
      test('keys, values, headers, tombstones and absent keys come back as they were sent', async () => {
        const topic = await newTopic()
        const producer = await newProducer()
        await producer.produce([
          { topic, partition: 0, key: 'ké', value: Buffer.from('value'), headers: { a: '1', b: 'zwölf' } },
          { topic, partition: 0, key: null, value: Buffer.from([0, 255, 10]) },
          { topic, partition: 0, key: new Uint8Array([1, 0, 2]), value: null, headers: {} },
          { topic, partition: 0, key: 'empty', value: Buffer.alloc(0) },
        ])
        const { consumer } = await newMember(topic, topic)
        let batch: RecordBatch | undefined
        await until(
          'a batch',
          () => batch !== undefined,
          async () => {
            batch = (await consumer.poll())[0]
          },
        )
        const found = batch!
        expect(found.length).toBe(4)
        expect([0, 1, 2, 3].map((n) => found.offset(n))).toEqual([0, 1, 2, 3])
        expect([0, 1, 2, 3].map((n) => found.key(n)?.toString('latin1') ?? null)).toEqual([
          Buffer.from('ké').toString('latin1'),
          null,
          '\u0001\u0000\u0002',
          'empty',
        ])
        expect([0, 1, 2, 3].map((n) => found.value(n)?.toString('latin1') ?? null)).toEqual([
          'value',
          '\u0000ÿ\n',
          null,
          '',
        ])
        expect(found.byteLength).toBe(8)
        expect([found.header(0, 'a'), found.header(0, 'b'), found.header(0, 'c')]).toEqual([
          '1',
          'zwölf',
          null,
        ])
        expect(found.header(1, 'a')).toBeNull()
        expect(found.timestamp(0)).toBeGreaterThan(1_600_000_000_000)
      })

      test('one partition keeps the order of the calls, though none waits for the one before', async () => {
        const topic = await newTopic(3)
        const producer = await newProducer()
        const calls = Array.from({ length: 30 }, (_, call) =>
          producer.produce(
            [0, 1, 2].flatMap((partition) => records(topic, numbered(`${call}.`, 100), partition)),
          ),
        )
        await Promise.all(calls)
        const { consumer } = await newMember(topic, topic)
        const reads = await take(consumer, 9_000)
        const expected = Array.from({ length: 30 }, (_, call) => numbered(`${call}.`, 100)).flat()
        for (const partition of [0, 1, 2]) {
          expect(valuesOf(reads, partition)).toEqual(expected)
          expect(reads.filter((read) => read.partition === partition).map((read) => read.offset)).toEqual(
            Array.from({ length: 3_000 }, (_, n) => n),
          )
        }
      })

      test('a poll hands out at most the records it was told', async () => {
        const topic = await newTopic(2)
        const producer = await newProducer()
        await producer.produce([
          ...records(topic, numbered('a', 40)),
          ...records(topic, numbered('b', 40), 1),
        ])
        const { consumer } = await newMember(topic, topic, { pollRecordsMax: 7 })
        let total = 0
        await until(
          'all records',
          () => total === 80,
          async () => {
            const reads = readsOf(await consumer.poll())
            expect(reads.length).toBeLessThanOrEqual(7)
            total += reads.length
          },
        )
      })

      test('a topic or partition that is not there is refused as not found', async () => {
        const topic = await newTopic()
        const producer = await newProducer()
        await expect(producer.produce(records(`missing-${topic}`, ['x']))).rejects.toMatchObject({
          name: 'DependencyError',
          code: 'not_found',
        })
        await expect(producer.produce(records(topic, ['x'], 7))).rejects.toMatchObject({ code: 'not_found' })
        expect(await endOf(topic, 'read_uncommitted')).toBe(0)
      })

      test('a record that is too large is rejected, and the producer goes on', async () => {
        const topic = await newTopic()
        const producer = await newProducer()
        await expect(producer.produce(records(topic, ['x'.repeat(1_100_000)]))).rejects.toMatchObject({
          code: 'rejected',
          retriable: false,
        })
        await producer.produce(records(topic, ['small']))
        expect(valuesOf(await readTo({ topic, partition: 0, offset: 0 }, 1))).toEqual(['small'])
      })
    })

    section('transactions', () => {
      test('aborted records never show, also between others and over more than one fetch', async () => {
        const topic = await newTopic()
        const [good, bad] = [await newTransactional(`${topic}-good`), await newTransactional(`${topic}-bad`)]
        const plain = await newProducer()
        const filler = 'f'.repeat(2_000)
        const committed: string[] = []
        for (let round = 0; round < 3; round++) {
          await good.begin()
          await bad.begin()
          for (let part = 0; part < 4; part++) {
            const before = await endOf(topic, 'read_uncommitted')
            const values = numbered(`good ${round}.${part}.`, 150)
            committed.push(...values)
            await good.send(
              records(
                topic,
                values.map((value) => `${value} ${filler}`),
              ),
            )
            await bad.send(
              records(
                topic,
                numbered('bad', 150).map((value) => `${value} ${filler}`),
              ),
            )
            // An abort discards what was not sent yet, and only what is in the log can be shown by mistake.
            await until(
              'the records in the log',
              async () => (await endOf(topic, 'read_uncommitted')) >= before + 300,
              soon,
            )
          }
          await plain.produce(records(topic, [`plain ${round}`]))
          await bad.abort()
          await good.commit()
        }
        const end = await settledEnd(topic)
        expect(end).toBe(3 * (4 * 300 + 1 + 2))
        const found = valuesOf(await readTo({ topic, partition: 0, offset: 0 }, end)).map((value) =>
          value.replace(` ${filler}`, ''),
        )
        expect(found.filter((value) => value.startsWith('good'))).toEqual(committed)
        expect(found.filter((value) => !value.startsWith('good'))).toEqual(numbered('plain ', 3))
      })

      test('transactions that end in another order than they began show only what was committed', async () => {
        const topic = await newTopic()
        const producers = await Promise.all(
          ['outer', 'inner', 'kept'].map((name) => newTransactional(`${topic}-${name}`)),
        )
        const [outer, inner, kept] = producers as [
          TransactionalProducer,
          TransactionalProducer,
          TransactionalProducer,
        ]
        let written = 0
        for (let round = 0; round < 3; round++) {
          for (const [producer, value] of [
            [outer, 'aborted, first to begin'],
            [inner, 'aborted, first to end'],
            [kept, `kept ${round}`],
          ] as const) {
            await producer.begin()
            await producer.send(records(topic, [value]))
            written++
            await until(
              'it is in the log',
              async () => (await endOf(topic, 'read_uncommitted')) >= written,
              soon,
            )
          }
          await inner.abort()
          await outer.abort()
          await kept.commit()
          written = await settledEnd(topic)
        }
        expect(valuesOf(await readTo({ topic, partition: 0, offset: 0 }, written))).toEqual(
          numbered('kept ', 3),
        )
      })

      test('an open transaction holds back its own records and everything after them', async () => {
        const topic = await newTopic()
        const transactional = await newTransactional(topic)
        const plain = await newProducer()
        await plain.produce(records(topic, ['before']))
        await transactional.begin()
        await transactional.send(records(topic, ['inside']))
        await until('the record in the log', async () => (await endOf(topic, 'read_uncommitted')) === 2, soon)
        await plain.produce(records(topic, ['after']))
        const { consumer } = await newMember(topic, topic)
        expect(valuesOf(await take(consumer, 1))).toEqual(['before'])
        await takeNothing(consumer)
        expect([await endOf(topic, 'read_committed'), await endOf(topic, 'read_uncommitted')]).toEqual([1, 3])
        await transactional.commit()
        expect(valuesOf(await take(consumer, 2))).toEqual(['inside', 'after'])
      })

      test('a newer producer of the id fences the older one and aborts what it left open', async () => {
        const topic = await newTopic()
        const older = await newTransactional(topic)
        await older.begin()
        await older.send(records(topic, ['kept']))
        await older.commit()
        await older.begin()
        await older.send(records(topic, ['left open']))
        await until('the record in the log', async () => (await endOf(topic, 'read_uncommitted')) === 3, soon)
        const newer = await newTransactional(topic)
        await older.send(records(topic, ['too late']))
        await expect(older.commit()).rejects.toMatchObject({ code: 'fenced', retriable: false })
        await newer.begin()
        await newer.send(records(topic, ['new']))
        await newer.commit()
        const end = await settledEnd(topic)
        expect(valuesOf(await readTo({ topic, partition: 0, offset: 0 }, end))).toEqual(['kept', 'new'])
      })

      test('a fenced producer cannot move the group either', async () => {
        const topic = await newTopic()
        const plain = await newProducer()
        await plain.produce(records(topic, ['a', 'b']))
        const { consumer } = await newMember(topic, topic)
        await take(consumer, 2)
        const older = await newTransactional(topic)
        await newTransactional(topic)
        await expect(
          (async () => {
            await older.begin()
            await older.sendOffset(consumer, { topic, partition: 0, offset: 2 }, 'stale')
            await older.commit()
          })(),
        ).rejects.toMatchObject({ code: 'fenced' })
        expect(await consumer.committed([{ topic, partition: 0 }])).toEqual([
          { topic, partition: 0, offset: null, metadata: '' },
        ])
      })

      test('the position and its text move with the records, and not without them', async () => {
        const [topic, output] = [await newTopic(), await newTopic()]
        const plain = await newProducer()
        await plain.produce(records(topic, ['a', 'b']))
        const { consumer } = await newMember(topic, topic)
        await take(consumer, 2)
        const transactional = await newTransactional(topic)
        await transactional.begin()
        await transactional.send(records(output, ['lost']))
        await transactional.sendOffset(consumer, { topic, partition: 0, offset: 1 }, 'first')
        await transactional.abort()
        const where = { topic, partition: 0 }
        expect(await consumer.committed([where])).toEqual([{ ...where, offset: null, metadata: '' }])
        await transactional.begin()
        await transactional.send(records(output, ['kept']))
        await transactional.sendOffset(consumer, { topic, partition: 0, offset: 2 }, 'second ±')
        await transactional.commit()
        expect(await consumer.committed([where])).toEqual([{ ...where, offset: 2, metadata: 'second ±' }])
        const end = await settledEnd(output)
        expect(valuesOf(await readTo({ topic: output, partition: 0, offset: 0 }, end))).toEqual(['kept'])
      })

      test('a position under an open transaction is not told before the transaction ends', async () => {
        const topic = await newTopic()
        const plain = await newProducer()
        await plain.produce(records(topic, ['a']))
        const { consumer } = await newMember(topic, topic)
        await take(consumer, 1)
        const transactional = await newTransactional(topic)
        await transactional.begin()
        await transactional.sendOffset(consumer, { topic, partition: 0, offset: 1 }, '')
        const order: string[] = []
        const asked = consumer.committed([{ topic, partition: 0 }]).then((answer) => {
          order.push('answered')
          return answer[0]?.offset
        })
        for (let n = 0; n < 4; n++) await consumer.poll()
        expect((await log.admin.groupPositions(topic, topic))[0]?.offset).toBeNull()
        order.push('committing')
        await transactional.commit()
        expect(await asked).toBe(1)
        expect(order).toEqual(['committing', 'answered'])
      })

      test('a record that was not taken fails the commit, and the next transaction works', async () => {
        const topic = await newTopic()
        const transactional = await newTransactional(topic)
        await transactional.begin()
        await transactional.send(records(topic, ['fine', 'x'.repeat(1_100_000)]))
        await expect(transactional.commit()).rejects.toMatchObject({ code: 'rejected' })
        await transactional.abort()
        await transactional.begin()
        await transactional.send(records(topic, ['good']))
        await transactional.commit()
        const end = await settledEnd(topic)
        expect(valuesOf(await readTo({ topic, partition: 0, offset: 0 }, end))).toEqual(['good'])
      })
    })

    section('groups', () => {
      test('what is committed is told back with its text of up to 1 KiB, by the coordinator and by admin', async () => {
        const topic = await newTopic(3)
        const { consumer, told } = await newMember(topic, topic)
        await until(
          'the assignment',
          () => told.length > 0,
          () => consumer.poll(),
        )
        const longest = `{"v":1,"é":"${'m'.repeat(1024 - 15)}"}`
        expect(Buffer.byteLength(longest)).toBe(1024)
        await consumer.commit([
          { topic, partition: 0, offset: 5, metadata: longest },
          { topic, partition: 1, offset: 0, metadata: 'x' },
        ])
        const expected = [
          { topic, partition: 0, offset: 5, metadata: longest },
          { topic, partition: 1, offset: 0, metadata: 'x' },
          { topic, partition: 2, offset: null, metadata: '' },
        ]
        expect(await consumer.committed([0, 1, 2].map((partition) => ({ topic, partition })))).toEqual(
          expected,
        )
        expect(await log.admin.groupPositions(topic, topic)).toEqual(expected)
        await consumer.commit([{ topic, partition: 0, offset: 6, metadata: '' }])
        expect(await consumer.committed([{ topic, partition: 0 }])).toEqual([
          { topic, partition: 0, offset: 6, metadata: '' },
        ])
        await expect(
          consumer.commit([{ topic, partition: 0, offset: 7, metadata: `${longest}x` }]),
        ).rejects.toMatchObject({ code: 'rejected' })
      })

      test('a second member takes over its share: told first, nothing handed out after, nothing lost', async () => {
        const topic = await newTopic(4)
        const producer = await newProducer()
        const seen: string[] = []
        const positions = new Map<string, number>()
        const member = async (id: string) => {
          const own = new Set<number>()
          const started = await newMember(topic, topic, {
            onAssigned: async (partitions, consumer) => {
              for (const each of partitions) own.add(each.partition)
              const committed = await consumer.committed(partitions)
              return committed.map(({ offset, ...where }) => ({ ...where, offset: offset ?? 0 }))
            },
            onRevoked: async (partitions) => {
              for (const each of partitions) own.delete(each.partition)
              await started.consumer.commit(
                partitions.flatMap(({ topic: of, partition }) => {
                  const offset = positions.get(`${id} ${partition}`)
                  return offset === undefined ? [] : [{ topic: of, partition, offset, metadata: id }]
                }),
              )
            },
          })
          return {
            id,
            own,
            consumer: started.consumer,
            async poll() {
              for (const read of readsOf(await started.consumer.poll())) {
                expect(own).toContain(read.partition)
                seen.push(`${read.partition} ${read.value}`)
                positions.set(`${id} ${read.partition}`, read.offset + 1)
              }
            },
          }
        }
        const produceAll = (round: number) =>
          producer.produce(
            [0, 1, 2, 3].flatMap((partition) => records(topic, numbered(`${round}.`, 50), partition)),
          )
        const first = await member('first')
        await produceAll(0)
        await until('all of the first round', () => seen.length === 200, first.poll)
        expect(first.own.size).toBe(4)
        const epoch = first.consumer.assignmentEpoch
        const second = await member('second')
        await produceAll(1)
        await until(
          'an even assignment',
          () => first.own.size === 2 && second.own.size === 2 && seen.length === 400,
          () => Promise.all([first.poll(), second.poll()]),
        )
        expect(first.consumer.assignmentEpoch).toBeGreaterThan(epoch)
        const [given] = [...second.own]
        expect(first.consumer.assigned({ topic, partition: given! })).toBe(false)
        expect(second.consumer.assigned({ topic, partition: given! })).toBe(true)
        await second.consumer.close()
        await produceAll(2)
        await until(
          'everything back at the first',
          () => first.own.size === 4 && seen.length === 600,
          first.poll,
        )
        expect(new Set(seen).size).toBe(600)
        for (const partition of [0, 1, 2, 3])
          expect(seen.filter((each) => each.startsWith(`${partition} `))).toEqual(
            [0, 1, 2].flatMap((round) => numbered(`${partition} ${round}.`, 50)),
          )
      })

      test('nothing is handed out before onAssigned resolves, nor while onRevoked runs', async () => {
        const topic = await newTopic(2)
        const producer = await newProducer()
        await producer.produce([...records(topic, ['a']), ...records(topic, ['b'], 1)])
        const [starting, leaving] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
        const { consumer, told } = await newMember(topic, topic, {
          onAssigned: async (partitions) => {
            told.push('assigned')
            await starting.promise
            return partitions.map((each) => ({ ...each, offset: 0 }))
          },
          onRevoked: async (partitions) => {
            if (told.at(-1) === 'leaving') return
            told.push('leaving')
            gone = partitions[0]!
            await leaving.promise
            told.push('left')
          },
        })
        let gone: TopicPartition | null = null
        await until(
          'the assignment',
          () => told.includes('assigned'),
          () => consumer.poll(),
        )
        await takeNothing(consumer)
        starting.resolve()
        await take(consumer, 2)
        const other = await newMember(topic, topic)
        await until(
          'the revocation',
          () => told.includes('leaving'),
          () => Promise.all([consumer.poll(), other.consumer.poll()]),
        )
        await producer.produce([...records(topic, ['c']), ...records(topic, ['d'], 1)])
        const { partition } = gone!
        expect(consumer.assigned({ topic, partition })).toBe(true)
        const reads: Read[] = []
        for (let n = 0; n < 8; n++) reads.push(...readsOf(await consumer.poll()))
        expect(valuesOf(reads, partition)).toEqual([])
        expect(other.told).toEqual([])
        leaving.resolve()
        await until(
          'the takeover',
          () => other.told.length > 0,
          () => Promise.all([consumer.poll(), other.consumer.poll()]),
        )
        expect(other.told).toEqual([`assigned ${partition}`])
        expect(consumer.assigned({ topic, partition })).toBe(false)
      })

      test('a partition that went to another member can neither be committed nor sent in a transaction', async () => {
        const topic = await newTopic(2)
        const producer = await newProducer()
        await producer.produce([...records(topic, ['a']), ...records(topic, ['b'], 1)])
        const { consumer, told } = await newMember(topic, topic)
        await take(consumer, 2)
        const transactional = await newTransactional(topic)
        const other = await newMember(topic, topic)
        await until(
          'the takeover',
          () => other.told.length > 0 && told.some((each) => each.startsWith('revoked')),
          () => Promise.all([consumer.poll(), other.consumer.poll()]),
        )
        const partition = [0, 1].find((each) => other.consumer.assigned({ topic, partition: each }))!
        const position = { topic, partition, offset: 1 }
        await expect(consumer.commit([{ ...position, metadata: 'stale' }])).rejects.toMatchObject({
          code: 'not_assigned',
        })
        await transactional.begin()
        await expect(transactional.sendOffset(consumer, position, 'stale')).rejects.toMatchObject({
          code: 'not_assigned',
        })
        await expect(consumer.seek(position)).rejects.toMatchObject({ code: 'not_assigned' })
        await transactional.abort()
        expect(await other.consumer.committed([{ topic, partition }])).toEqual([
          { topic, partition, offset: null, metadata: '' },
        ])
      })

      test('in a new generation a member keeps what it holds, and what it sent before is refused', async () => {
        const topic = await newTopic(2)
        const [one, other] = [await newMember(topic, topic), await newMember(topic, topic)]
        const polls = () => Promise.all([one.consumer.poll(), other.consumer.poll()])
        const owned = ({ consumer }: typeof one) =>
          [0, 1].filter((partition) => consumer.assigned({ topic, partition }))
        await until('two shares', () => owned(one).length === 1 && owned(other).length === 1, polls)
        await until('quiet', isQuiet(one, other), polls)
        const told = [...one.told, ...other.told]
        const before = one.consumer.membership
        const position = { topic, partition: owned(one)[0]!, offset: 1 }
        await one.consumer.commit([{ ...position, metadata: 'now' }])
        one.consumer.renew()
        await until('the new generation', () => one.consumer.membership !== before, polls)
        const late = { ...position, offset: 0, metadata: 'late' }
        expect(await under.commitLate(one.consumer, topic, before, late)).toBe(false)
        expect(await one.consumer.committed([position])).toEqual([{ ...position, metadata: 'now' }])
        const present = { ...position, offset: 2, metadata: 'present' }
        expect(await under.commitLate(one.consumer, topic, one.consumer.membership, present)).toBe(true)
        await until('quiet', isQuiet(one, other), polls)
        expect([...one.told, ...other.told]).toEqual(told)
      })

      test('a member that the group forgot moves nothing, learns that all is lost, and joins again', async () => {
        const topic = await newTopic()
        const producer = await newProducer()
        await producer.produce(records(topic, ['a', 'b']))
        const zombie = await newMember(topic, topic, {
          sessionTimeoutMs: FORGETFUL_MS,
          maxPollIntervalMs: FORGETFUL_MS,
        })
        await take(zombie.consumer, 2)
        const transactional = await newTransactional(topic)
        await under.forget(zombie.consumer)
        const owner = await newMember(topic, topic)
        await take(owner.consumer, 2)
        await owner.consumer.commit([{ topic, partition: 0, offset: 1, metadata: 'owner' }])
        // It has not polled and believes in its assignment. Its commit may resolve, but must not count.
        const epoch = zombie.consumer.assignmentEpoch
        await zombie.consumer
          .commit([{ topic, partition: 0, offset: 2, metadata: 'zombie' }])
          .catch(() => undefined)
        const outcome = (async () => {
          await transactional.begin()
          await transactional.sendOffset(zombie.consumer, { topic, partition: 0, offset: 2 }, 'zombie')
          await transactional.commit()
        })()
        await expect(outcome).rejects.toMatchObject({ name: 'DependencyError' })
        await transactional.close()
        expect(await owner.consumer.committed([{ topic, partition: 0 }])).toEqual([
          { topic, partition: 0, offset: 1, metadata: 'owner' },
        ])
        await owner.consumer.close()
        expect(valuesOf(await take(zombie.consumer, 1))).toEqual(['b'])
        expect(zombie.told).toEqual(['assigned 0', 'lost 0', 'assigned 0'])
        expect(zombie.consumer.assignmentEpoch).toBeGreaterThan(epoch)
      })

      test('closing gives everything up: told, with commits still taken', async () => {
        const topic = await newTopic()
        const producer = await newProducer()
        await producer.produce(records(topic, ['a', 'b']))
        const { consumer, told } = await newMember(topic, topic, {
          onRevoked: async (partitions, lost) => {
            told.push(`revoked ${partitions.length} ${lost}`)
            await consumer.commit([{ topic, partition: 0, offset: 1, metadata: 'last words' }])
          },
        })
        await take(consumer, 2)
        await consumer.close()
        expect(told).toEqual(['assigned 0', 'revoked 1 false'])
        expect(await log.admin.groupPositions(topic, topic)).toEqual([
          { topic, partition: 0, offset: 1, metadata: 'last words' },
        ])
      })

      test('an assignment that cannot be started closes the consumer with its error', async () => {
        const topic = await newTopic()
        const told: string[] = []
        const { consumer } = await newMember(topic, topic, {
          onAssigned: async () => {
            told.push('assigned')
            throw new Error('Cannot start.')
          },
        })
        await expect(
          until(
            'the rejection',
            () => false,
            () => consumer.poll(),
          ),
        ).rejects.toThrow('Cannot start.')
        expect(told).toEqual(['assigned'])
        await consumer.close()
        const next = await newMember(topic, topic)
        await until(
          'the next member’s assignment',
          () => next.told.length > 0,
          () => next.consumer.poll(),
        )
      })

      test('a paused partition hands out nothing while others go on, and continues without a gap', async () => {
        const topic = await newTopic(2)
        const producer = await newProducer()
        const { consumer, told } = await newMember(topic, topic, { pollRecordsMax: 10 })
        await until(
          'the assignment',
          () => told.length > 0,
          () => consumer.poll(),
        )
        await producer.produce([
          ...records(topic, numbered('a', 100)),
          ...records(topic, numbered('b', 100), 1),
        ])
        const reads: Read[] = []
        const where = [{ topic, partition: 0 }]
        let pauses = 0
        await until(
          'everything',
          () => reads.length === 200,
          async () => {
            // The pause falls into the middle of a poll.
            const polling = consumer.poll()
            consumer.pause(where)
            reads.push(...readsOf(await polling))
            for (let n = 0; n < 2; n++) {
              const more = readsOf(await consumer.poll())
              expect(valuesOf(more, 0)).toEqual([])
              reads.push(...more)
            }
            pauses++
            consumer.resume(where)
            // What was fetched ahead may have to be fetched again.
            const before = reads.length
            await until(
              'records after the pause',
              () => reads.length > before,
              async () => void reads.push(...readsOf(await consumer.poll())),
            )
          },
        )
        expect(pauses).toBeGreaterThan(3)
        expect(valuesOf(reads, 0)).toEqual(numbered('a', 100))
        expect(valuesOf(reads, 1)).toEqual(numbered('b', 100))
      })

      test('a pause ends with the assignment: a partition that comes back is handed out again', async () => {
        const topic = await newTopic(2)
        const producer = await newProducer()
        const both = (value: string) => [...records(topic, [value]), ...records(topic, [value], 1)]
        const { consumer } = await newMember(topic, topic)
        await producer.produce(both('a'))
        await take(consumer, 2)
        await consumer.commit([0, 1].map((partition) => ({ topic, partition, offset: 1, metadata: '' })))
        consumer.pause([0, 1].map((partition) => ({ topic, partition })))
        const other = await newMember(topic, topic)
        await until(
          'the takeover',
          () => other.told.length > 0,
          () => Promise.all([consumer.poll(), other.consumer.poll()]),
        )
        await other.consumer.close()
        await producer.produce(both('b'))
        const kept = [0, 1].find((partition) => consumer.assigned({ topic, partition }))!
        const [read] = await take(consumer, 1)
        expect(read).toEqual({ partition: 1 - kept, offset: 1, value: 'b' })
        consumer.resume([{ topic, partition: kept }])
        expect(await take(consumer, 1)).toEqual([{ partition: kept, offset: 1, value: 'b' }])
      })

      test('after a seek come the records from there, and none that was fetched before', async () => {
        const topic = await newTopic()
        const producer = await newProducer()
        await producer.produce(records(topic, numbered('', 300)))
        const { consumer } = await newMember(topic, topic, { pollRecordsMax: 20 })
        await take(consumer, 20)
        for (const offset of [5, 250, 0, 140]) {
          // What a poll fetches while the seek begins is from before or from after it, and never from before once
          // the seek is done.
          const polling = consumer.poll()
          await consumer.seek({ topic, partition: 0, offset })
          const during = readsOf(await polling)
          const reads = during[0]?.offset === offset ? during : []
          await until(
            'records after the seek',
            () => reads.length > 0,
            async () => void reads.push(...readsOf(await consumer.poll())),
          )
          expect(reads[0]).toEqual({ partition: 0, offset, value: `${offset}` })
        }
      })

      test('a partition that is sought while it is assigned starts there, whatever the assignment says', async () => {
        const topic = await newTopic()
        const producer = await newProducer()
        await producer.produce(records(topic, ['a', 'b', 'c']))
        const { consumer } = await newMember(topic, topic, {
          async onAssigned(partitions, own) {
            await own.seek({ topic, partition: 0, offset: 1 })
            return partitions.map((each) => ({ ...each, offset: 3 }))
          },
        })
        expect(await take(consumer, 2)).toMatchObject([{ value: 'b' }, { value: 'c' }])
      })

      test('the end of a partition is known once it was fetched', async () => {
        const topic = await newTopic()
        const producer = await newProducer()
        await producer.produce(records(topic, ['a', 'b', 'c']))
        const { consumer } = await newMember(topic, topic)
        await take(consumer, 3)
        expect(consumer.endOffset({ topic, partition: 0 })).toBe(3)
      })

      test('a position outside of what the topic holds is an error, never a silent jump', async () => {
        const topic = await newTopic()
        const { consumer } = await newMember(topic, topic, {
          onAssigned: async (partitions) => partitions.map((each) => ({ ...each, offset: 1_000 })),
        })
        await expect(
          until(
            'the rejection',
            () => false,
            () => consumer.poll(),
          ),
        ).rejects.toMatchObject({ code: 'not_found' })
      })
    })

    section('readers', () => {
      test('a reader starts where it is told, in every partition, and touches no group', async () => {
        const topic = await newTopic(2)
        const producer = await newProducer()
        await producer.produce([
          ...records(topic, numbered('a', 10)),
          ...records(topic, numbered('b', 10), 1),
        ])
        const reader = await newReader({ topic, partition: 0, offset: 7 }, { topic, partition: 1, offset: 9 })
        expect(reader.position({ topic, partition: 0 })).toBe(7)
        const reads: Read[] = []
        await until(
          'four records',
          () => reads.length >= 4,
          async () => void reads.push(...readsOf(await reader.read(100))),
        )
        expect(valuesOf(reads, 0)).toEqual(['a7', 'a8', 'a9'])
        expect(valuesOf(reads, 1)).toEqual(['b9'])
        expect(await reader.read(50)).toEqual([])
        expect(reader.position({ topic, partition: 1 })).toBe(10)
      })

      test('its position passes transaction markers and aborted records', async () => {
        const topic = await newTopic()
        const transactional = await newTransactional(topic)
        await transactional.begin()
        await transactional.send(records(topic, ['kept']))
        await transactional.commit()
        await transactional.begin()
        await transactional.send(records(topic, ['dropped']))
        await until('the record in the log', async () => (await endOf(topic, 'read_uncommitted')) === 3, soon)
        await transactional.abort()
        const end = await settledEnd(topic)
        expect(end).toBe(4)
        expect(valuesOf(await readTo({ topic, partition: 0, offset: 0 }, end))).toEqual(['kept'])
      })

      test('a position outside of what the topic holds is an error', async () => {
        const topic = await newTopic()
        const reader = await newReader({ topic, partition: 0, offset: 1_000 })
        await expect(
          until(
            'the rejection',
            () => false,
            () => reader.read(100),
          ),
        ).rejects.toMatchObject({ code: 'not_found' })
      })
    })

    section('administration', () => {
      test('making a topic twice leaves it as it is', async () => {
        const topic = await newTopic(3)
        const before = await log.admin.describeTopic(topic)
        await log.admin.createTopics([{ topic, partitions: 5, replicationFactor: -1, config: {} }])
        expect(await log.admin.describeTopic(topic)).toEqual(before)
        expect(before).toMatchObject({ topic, partitions: 3 })
        expect(await log.admin.listTopics()).toContain(topic)
      })

      test('a topic is set to what was said when it was made, and to defaults for the rest', async () => {
        const topic = await newTopic(2, {
          'retention.ms': '3600000',
          'message.timestamp.type': 'LogAppendTime',
        })
        expect(await log.admin.topicSettings(topic)).toMatchObject({
          replicas: 1,
          config: {
            'cleanup.policy': 'delete',
            'message.timestamp.type': 'LogAppendTime',
            'min.insync.replicas': '1',
            'retention.bytes': '-1',
            'retention.ms': '3600000',
          },
        })
      })

      test('a topic that was made again has another id and starts at zero', async () => {
        const topic = await newTopic()
        const producer = await newProducer()
        await producer.produce(records(topic, ['a']))
        const before = await log.admin.describeTopic(topic)
        await log.admin.deleteTopics([topic])
        await until('the deletion', async () => (await log.admin.describeTopic(topic)) === null, soon)
        expect(await log.admin.listTopics()).not.toContain(topic)
        await log.admin.createTopics([{ topic, partitions: 1, replicationFactor: -1, config: {} }])
        const after = await log.admin.describeTopic(topic)
        expect(before?.topicId).toMatch(/./)
        expect(after?.topicId).toMatch(/./)
        expect(after?.topicId).not.toBe(before?.topicId)
        expect(await log.admin.offsetRanges(topic, 'read_committed')).toEqual([
          { topic, partition: 0, start: 0, end: 0 },
        ])
      })

      test('the offset at a time is that of the first record so late, else the end', async () => {
        const topic = await newTopic()
        const producer = await newProducer()
        await producer.produce(records(topic, ['a', 'b']))
        const at = async (timestampMs: number) =>
          (await log.admin.offsetsAt(topic, timestampMs)).find(({ partition }) => partition === 0)?.offset
        expect(await at(0)).toBe(0)
        expect(await at(8_000_000_000_000)).toBe(await endOf(topic, 'read_committed'))
      })

      test('what is not there is told as such', async () => {
        const missing = `missing-${randomUUID()}`
        expect(await log.admin.describeTopic(missing)).toBeNull()
        expect(await log.admin.topicSettings(missing)).toBeNull()
        await expect(log.admin.offsetRanges(missing, 'read_committed')).rejects.toMatchObject({
          code: 'not_found',
        })
        await expect(log.admin.groupPositions('nobody', missing)).rejects.toMatchObject({ code: 'not_found' })
        await log.admin.deleteTopics([missing])
        const topic = await newTopic(2)
        expect(await log.admin.groupPositions(`nobody-${topic}`, topic)).toEqual([
          { topic, partition: 0, offset: null, metadata: '' },
          { topic, partition: 1, offset: null, metadata: '' },
        ])
      })
    })
  })
}
