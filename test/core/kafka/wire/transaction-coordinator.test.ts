import { expect, test } from 'vitest'
import { APIS, type Api, TRANSACTION_2_APIS } from '../../../../services/core/kafka/wire/apis.ts'
import type { Cluster } from '../../../../services/core/kafka/wire/cluster.ts'
import { WireReader, WireWriter } from '../../../../services/core/kafka/wire/codec.ts'
import { CODES } from '../../../../services/core/kafka/wire/errors.ts'
import { createTransactionCoordinator } from '../../../../services/core/kafka/wire/transaction-coordinator.ts'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import { createManualClock } from '../../../helpers/manual-clock.ts'

const IDENTITY = { producerId: 5, epoch: 2 }
const lost = new DependencyError('kafka', 'unavailable', 'the connection was closed')
const answer = (write: (body: WireWriter) => WireWriter) =>
  new WireReader(Buffer.from(write(new WireWriter().int32(0)).noTags().written))
const coded = (code: number) => answer((body) => body.int16(code))
const ended = (code: number) => answer((body) => body.int16(code).int64(5).int16(3))

/** A cluster whose coordinator, broker 1 at first and 2 when asked for again, gives these answers in turn. */
function coordinatorOf(...answers: (WireReader | Error)[]) {
  const asked: string[] = []
  let found = 0
  const refuse = () => Promise.reject(new Error('not asked here'))
  const cluster: Cluster = {
    metadata: refuse,
    askAnyone: refuse,
    askController: refuse,
    feature: async () => 2,
    coordinator: async () => Math.min(2, ++found),
    async ask(broker, api) {
      asked.push(`${api.name} ${broker}`)
      const next = answers.shift()
      if (next instanceof Error) throw next
      if (!next) throw new Error('One request too many.')
      return next
    },
    close: () => {},
  }
  const clock = createManualClock()
  const coordinator = createTransactionCoordinator(cluster, {
    transactionalId: 'id',
    transactionTimeoutMs: 1_000,
    patienceMs: 1_000,
    clock: { ...clock, sleep: async (ms) => clock.advance(ms) },
  })
  return { asked, coordinator }
}

test.each([
  ['moved', CODES.NOT_COORDINATOR, 2],
  ['is not there', CODES.COORDINATOR_NOT_AVAILABLE, 2],
  ['is still loading', CODES.COORDINATOR_LOAD_IN_PROGRESS, 2],
  ['is busy with the transaction before', CODES.CONCURRENT_TRANSACTIONS, 1],
])('a coordinator that %s is asked again', async (_, code, broker) => {
  const { asked, coordinator } = coordinatorOf(
    answer((body) => body.int16(code).int64(-1).int16(-1)),
    answer((body) => body.int16(0).int64(9).int16(4)),
  )
  expect(await coordinator.initProducerId(null)).toEqual({ producerId: 9, epoch: 4 })
  expect(asked).toEqual(['InitProducerId 1', `InitProducerId ${broker}`])
})

test('patience has an end', async () => {
  const busy = () => answer((body) => body.int16(CODES.CONCURRENT_TRANSACTIONS).int64(-1).int16(-1))
  const { asked, coordinator } = coordinatorOf(...Array.from({ length: 100 }, busy))
  await expect(coordinator.initProducerId(null)).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('Taking over the transactional id id'),
  })
  expect(asked.length).toBeLessThan(40)
})

test('once closed, nothing is asked again', async () => {
  const { asked, coordinator } = coordinatorOf(lost)
  coordinator.close()
  await expect(coordinator.addGroup(IDENTITY, 'g')).rejects.toBe(lost)
  expect(asked).toEqual(['AddOffsetsToTxn 1'])
})

test.each([
  [CODES.PRODUCER_FENCED, 'fenced'],
  [CODES.INVALID_TRANSACTION_TIMEOUT, 'rejected'],
  [CODES.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, 'denied'],
])('taking over with code %i is %s', async (code, expected) => {
  const { coordinator } = coordinatorOf(answer((body) => body.int16(code).int64(-1).int16(-1)))
  await expect(coordinator.initProducerId(IDENTITY)).rejects.toMatchObject({ code: expected })
})

test('a commit without an answer is not asked for again: its outcome is unknown', async () => {
  const { asked, coordinator } = coordinatorOf(lost)
  await expect(coordinator.end(APIS.endTxn, IDENTITY, true)).rejects.toMatchObject({
    code: 'outcome_unknown',
  })
  expect(asked).toEqual(['EndTxn 1'])
})

test('a refusal after a coordinator that may have carried it out before leaves the outcome unknown', async () => {
  const { coordinator } = coordinatorOf(coded(CODES.NOT_COORDINATOR), coded(CODES.INVALID_PRODUCER_EPOCH))
  await expect(coordinator.end(APIS.endTxn, IDENTITY, true)).rejects.toMatchObject({
    code: 'outcome_unknown',
  })
})

test('a plain refusal of an end is told by its code', async () => {
  const { coordinator } = coordinatorOf(coded(CODES.PRODUCER_FENCED))
  await expect(coordinator.end(APIS.endTxn, IDENTITY, true)).rejects.toMatchObject({
    name: 'BrokerError',
    code: CODES.PRODUCER_FENCED,
  })
})

test.each<[string, Api, WireReader, number]>([
  ['stays', APIS.endTxn, coded(0), 2],
  ['is the one that the answer names', TRANSACTION_2_APIS.endTxn, ended(0), 3],
])('the epoch of the next transaction %s', async (_, api, answered, epoch) => {
  const { coordinator } = coordinatorOf(answered)
  expect(await coordinator.end(api, IDENTITY, true)).toEqual({ producerId: 5, epoch })
})

test('of partitions that are refused, the one that says why counts', async () => {
  const { coordinator } = coordinatorOf(
    answer((body) =>
      body.array(['t'], () => {
        body.string('t')
        body.array([CODES.OPERATION_NOT_ATTEMPTED, CODES.TOPIC_AUTHORIZATION_FAILED], (code) =>
          body.int32(0).int16(code).noTags(),
        )
        body.noTags()
      }),
    ),
  )
  await expect(coordinator.addPartitions(IDENTITY, [{ topic: 't', partition: 0 }])).rejects.toMatchObject({
    code: CODES.TOPIC_AUTHORIZATION_FAILED,
  })
})
