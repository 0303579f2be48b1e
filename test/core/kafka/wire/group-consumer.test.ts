import { afterEach, expect, test } from 'vitest'
import type { GroupConsumer, TopicPartition } from '../../../../services/core/kafka/log.ts'
import type { Cluster } from '../../../../services/core/kafka/wire/cluster.ts'
import { BrokerError, CODES } from '../../../../services/core/kafka/wire/errors.ts'
import { createGroupConsumer } from '../../../../services/core/kafka/wire/group-consumer.ts'
import type { GroupCoordinator } from '../../../../services/core/kafka/wire/group-coordinator.ts'
import {
  type GroupMembership,
  membershipOf,
  settledMembership,
} from '../../../../services/core/kafka/wire/group-membership.ts'
import { decodeSubscription, encodeAssignment } from '../../../../services/core/kafka/wire/group-protocol.ts'
import { DependencyError } from '../../../../services/core/runtime/errors.ts'
import { createLogger } from '../../../../services/core/runtime/logger.ts'
import { createManualClock, settle } from '../../../helpers/manual-clock.ts'

const SESSION_MS = 6_000
const logger = createLogger('test', 'error', { write: () => {} })
const gone = () => new DependencyError('kafka', 'unavailable', 'The connection was closed.')

/** Brokers that never have a record: what is tested here is the group. */
function silentCluster(): Cluster {
  const closed = Promise.withResolvers<never>()
  closed.promise.catch(() => undefined)
  return {
    metadata: () => closed.promise,
    ask: () => closed.promise,
    askController: () => closed.promise,
    askAnyone: () => closed.promise,
    feature: () => closed.promise,
    coordinator: () => closed.promise,
    close: () => closed.reject(gone()),
  }
}

const open: GroupConsumer[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((consumer) => consumer.close()))
})

/** A consumer of topic `t` under a coordinator that answers as `script` says, and a list of all that happened. */
function world(options: { maxPollIntervalMs?: number; instanceId?: string } = {}) {
  const clock = createManualClock()
  const effects: string[] = []
  const script = {
    partitions: [0, 1],
    join: (): number | Error => 0,
    sync: (): number | Error | Promise<number> => 0,
    heartbeat: (): number | Error | Promise<number> => 0,
    commit: (): number | Error | Promise<number> => 0,
    counts: new Map([['t', 2]]),
    onAssigned: async () => {},
    onRevoked: async () => {},
  }
  let generation = 0
  const answer = <T>(given: T | Error): T => {
    if (given instanceof Error) throw given
    return given
  }
  const coordinator: GroupCoordinator = {
    async join({ memberId, metadata }) {
      const { owned } = decodeSubscription(metadata)
      effects.push(`join ${memberId || '-'} owning ${owned.map(({ partition }) => partition)}`)
      const code = answer(script.join())
      if (code === 0) generation++
      return {
        code,
        generationId: generation,
        leaderId: 'other',
        memberId: memberId || `m${generation}`,
        members: [],
      }
    },
    async sync() {
      const code = answer(await script.sync())
      const partitions = script.partitions.map((partition) => ({ topic: 't', partition }))
      return { code, assignment: encodeAssignment(partitions) }
    },
    heartbeat: async ({ generationId }) => {
      const code = answer(await script.heartbeat())
      if (code !== 0) effects.push(`heartbeat ${generationId} refused ${code}`)
      return code
    },
    async leave({ memberId }) {
      effects.push(`leave ${memberId}`)
    },
    async commit({ generationId }) {
      effects.push(`commit in ${generationId}`)
      return answer(await script.commit())
    },
    committed: () => Promise.reject(new BrokerError(CODES.UNSTABLE_OFFSET_COMMIT)),
    partitionCounts: async () => script.counts,
    forget: () => void effects.push('find coordinator'),
    close: () => {},
  }
  const numbers = (partitions: readonly TopicPartition[]) => partitions.map(({ partition }) => partition)
  const consumer = createGroupConsumer(
    {
      coordinator,
      records: silentCluster(),
      instanceId: options.instanceId ?? null,
      requestTimeoutMs: 1_000,
      clock,
    },
    {
      groupId: 'g',
      clientId: 'test',
      topics: ['t'],
      sessionTimeoutMs: SESSION_MS,
      maxPollIntervalMs: options.maxPollIntervalMs ?? 60_000,
      pollRecordsMax: 10,
      pollWaitMs: 0,
      prefetchBytesMax: 1_000,
      async onAssigned(partitions) {
        effects.push(`assigned ${numbers(partitions)}`)
        await script.onAssigned()
        return partitions.map((each) => ({ ...each, offset: 0 }))
      },
      async onRevoked(partitions, lost) {
        effects.push(`${lost ? 'lost' : 'revoked'} ${numbers(partitions)}`)
        await script.onRevoked()
      },
    },
    logger,
  )
  open.push(consumer)
  /** @returns what happened since it was last asked */
  const since = () => effects.splice(0)
  const joined = async () => {
    await settle()
    expect(since()).toEqual(['join - owning ', 'assigned 0,1'])
  }
  const where = (partition: number) => ({ topic: 't', partition })
  const commit = () => consumer.commit([{ ...where(0), offset: 1, metadata: '' }])
  return { clock, script, consumer, since, joined, where, commit }
}

test('a member that the group does not know any more loses everything at once, is told, and joins as a new one', async () => {
  const { clock, script, consumer, since, joined, where } = world()
  await joined()
  script.heartbeat = () => CODES.UNKNOWN_MEMBER_ID
  script.onRevoked = async () => expect(consumer.assigned(where(0))).toBe(false)
  const advancing = clock.advance(1_000)
  await settle()
  script.heartbeat = () => 0
  await advancing
  expect(since()).toEqual(['heartbeat 1 refused 25', 'lost 0,1', 'join - owning ', 'assigned 0,1'])
})

test('what goes to another member is given up before it joins again, and what stays is not disturbed', async () => {
  const { clock, script, consumer, since, joined, where } = world()
  await joined()
  const leaving = Promise.withResolvers<void>()
  script.onRevoked = () => leaving.promise
  script.partitions = [0]
  script.heartbeat = () => CODES.REBALANCE_IN_PROGRESS
  const advancing = clock.advance(1_000)
  await settle()
  script.heartbeat = () => 0
  await advancing
  expect(since()).toEqual(['heartbeat 1 refused 27', 'join m1 owning 0,1', 'revoked 1'])
  expect([consumer.assigned(where(0)), consumer.assigned(where(1))]).toEqual([true, true])
  await clock.advance(5_000)
  expect(since()).toEqual([])
  leaving.resolve()
  await settle()
  expect(since()).toEqual(['join m1 owning 0'])
  expect(consumer.assigned(where(1))).toBe(false)
})

test('a long start keeps its heartbeats, and a rebalance meanwhile waits for it', async () => {
  const { clock, script, since } = world()
  const starting = Promise.withResolvers<void>()
  script.onAssigned = () => starting.promise
  let beats = 0
  script.heartbeat = () => {
    beats++
    return CODES.REBALANCE_IN_PROGRESS
  }
  await settle()
  await clock.advance(30_000)
  expect(beats).toBe(60)
  expect(since().filter((effect) => !effect.startsWith('heartbeat'))).toEqual([
    'join - owning ',
    'assigned 0,1',
  ])
  script.heartbeat = () => 0
  starting.resolve()
  await settle()
  expect(since()).toEqual(['join m1 owning 0,1'])
})

test('whoever is not polled leaves, everything lost, and joins again when polled', async () => {
  const { clock, consumer, since, joined } = world({ maxPollIntervalMs: 10_000 })
  await joined()
  await clock.advance(9_000)
  await consumer.poll()
  await clock.advance(10_000)
  expect(since()).toEqual([])
  await clock.advance(60_000)
  expect(since()).toEqual(['leave m1', 'lost 0,1'])
  expect(membershipOf(consumer)).toBeNull()
  await consumer.poll()
  await settle()
  expect(since()).toEqual(['join - owning ', 'assigned 0,1'])
})

test('a connection that breaks costs nothing that is held: the coordinator is asked for, the heartbeat goes there', async () => {
  const { clock, script, consumer, since, joined, where } = world()
  await joined()
  script.heartbeat = gone
  await clock.advance(500)
  script.heartbeat = () => CODES.NOT_COORDINATOR
  await clock.advance(500)
  script.heartbeat = () => 0
  await clock.advance(500)
  expect(since()).toEqual(['find coordinator', 'heartbeat 1 refused 16', 'find coordinator'])
  expect(consumer.assigned(where(0))).toBe(true)
})

test('a join that is not answered is asked again, ever more slowly, for the same member', async () => {
  const { clock, script, since } = world()
  let failures = 4
  script.join = () =>
    failures-- > 0 ? (failures % 2 === 0 ? gone() : CODES.COORDINATOR_LOAD_IN_PROGRESS) : 0
  await clock.advance(740)
  expect(since().filter((effect) => effect !== 'find coordinator')).toHaveLength(4)
  await clock.advance(20)
  expect(since()).toEqual(['join - owning ', 'assigned 0,1'])
})

test('a commit in a generation that the group has left behind is sent again in the one this member is joining', async () => {
  const { clock, script, since, joined, commit } = world()
  await joined()
  const syncing = Promise.withResolvers<number>()
  script.sync = () => syncing.promise
  script.heartbeat = () => CODES.REBALANCE_IN_PROGRESS
  const early = Promise.withResolvers<number>()
  script.commit = () => early.promise
  const committing = commit()
  const advancing = clock.advance(500)
  await settle()
  script.heartbeat = () => 0
  early.resolve(CODES.ILLEGAL_GENERATION)
  script.commit = () => 0
  syncing.resolve(0)
  await Promise.all([advancing, committing])
  expect(since()).toEqual(['commit in 1', 'heartbeat 1 refused 27', 'join m1 owning 0,1', 'commit in 2'])
})

test('a commit that the beginning of a generation refuses late is sent again in it, also by whoever gives its partition up', async () => {
  const { clock, script, since, joined, commit } = world()
  await joined()
  const syncing = Promise.withResolvers<number>()
  script.sync = () => syncing.promise
  script.heartbeat = () => CODES.REBALANCE_IN_PROGRESS
  const advancing = clock.advance(500)
  await settle()
  script.heartbeat = () => 0
  const late = Promise.withResolvers<number>()
  script.commit = () => late.promise
  const committing = commit()
  await settle()
  script.partitions = [1]
  script.onRevoked = () => committing
  script.sync = () => 0
  syncing.resolve(0)
  await settle()
  late.resolve(CODES.REBALANCE_IN_PROGRESS)
  script.commit = () => 0
  await advancing
  await clock.advance(50)
  await committing
  await settle()
  expect(since()).toEqual([
    'heartbeat 1 refused 27',
    'join m1 owning 0,1',
    'commit in 2',
    'revoked 0',
    'commit in 2',
    'join m1 owning 1',
  ])
})

test('a join waits for whoever gives a partition up, and so he is not made to wait for the join', async () => {
  const { clock, script, consumer, joined } = world()
  await joined()
  script.partitions = [1]
  script.heartbeat = () => CODES.REBALANCE_IN_PROGRESS
  const asked = Promise.withResolvers<unknown>()
  script.onRevoked = async () => {
    script.onRevoked = async () => {}
    await clock.sleep(1_000)
    asked.resolve(await settledMembership(consumer, membershipOf(consumer) as GroupMembership))
    script.heartbeat = () => 0
  }
  await clock.advance(3_000)
  expect(await asked.promise).toBeNull()
  expect(consumer.assigned({ topic: 't', partition: 0 })).toBe(false)
})

test('a commit of a member that is out is refused, and one without an answer is of unknown outcome', async () => {
  const { script, consumer, since, joined, commit, where } = world()
  await joined()
  script.commit = gone
  await expect(commit()).rejects.toMatchObject({ code: 'outcome_unknown' })
  expect(consumer.assigned(where(0))).toBe(true)
  since()
  script.commit = () => CODES.ILLEGAL_GENERATION
  script.onAssigned = () => new Promise(() => {})
  await expect(commit()).rejects.toMatchObject({ code: 'not_assigned' })
  await settle()
  expect(since()).toEqual(['commit in 1', 'lost 0,1', 'join - owning ', 'assigned 0,1'])
  open.length = 0 // its start never ends
})

test('a process that slept past its session asks the group with its next poll, and again while the answer is older than that', async () => {
  const { clock, script, consumer, joined } = world()
  await joined()
  const beat = Promise.withResolvers<number>()
  let beats = 0
  script.heartbeat = () => {
    beats++
    return beat.promise
  }
  // The clock of a process that sleeps goes on, its timers do not: one heartbeat is on its way all the time.
  await clock.advance(SESSION_MS + 2_000)
  expect(beats).toBe(1)
  expect(await consumer.poll()).toEqual([])
  expect(beats).toBe(1)
  beat.resolve(0)
  await settle()
  // It was asked before the sleep, so it proves nothing: the next poll asks again.
  await consumer.poll()
  expect(beats).toBeGreaterThan(1)
})

test('fenced by a process under the same instance id, everything is lost and the poll says so, for good', async () => {
  const { clock, script, consumer, since, joined } = world({ instanceId: 'i' })
  await joined()
  script.heartbeat = () => CODES.FENCED_INSTANCE_ID
  await clock.advance(1_000)
  expect(since()).toEqual(['heartbeat 1 refused 82', 'lost 0,1'])
  await expect(consumer.poll()).rejects.toMatchObject({ code: 'fenced' })
  await clock.advance(60_000)
  await expect(consumer.poll()).rejects.toMatchObject({ code: 'fenced' })
  await consumer.close()
  expect(since()).toEqual([])
})

test('a coordinator that will not have this member ends the poll with its reason', async () => {
  const { script, consumer } = world()
  script.join = () => CODES.INVALID_SESSION_TIMEOUT
  await settle()
  await expect(consumer.poll()).rejects.toMatchObject({ code: 'rejected' })
})

test('new partitions and topics make a member join again; one that stays missing is told', async () => {
  const { clock, script, consumer, since, joined } = world()
  await joined()
  script.counts = new Map([['t', 3]])
  await clock.advance(30_000)
  expect(since()).toEqual(['join m1 owning 0,1'])
  script.counts = new Map()
  await clock.advance(31_000)
  await consumer.poll()
  await clock.advance(12_000)
  await expect(consumer.poll()).rejects.toMatchObject({ code: 'not_found' })
})

test('positions under an open transaction are asked for until the time is over', async () => {
  const { clock, consumer, joined, where } = world()
  await joined()
  const asked = expect(consumer.committed([where(0)])).rejects.toMatchObject({ code: 'timeout' })
  await clock.advance(1_100)
  await asked
})

test('closing serves what is held while it can still commit, then leaves', async () => {
  const { script, consumer, since, joined, commit } = world()
  await joined()
  script.onRevoked = () => commit()
  await consumer.close()
  expect(since()).toEqual(['revoked 0,1', 'commit in 1', 'leave m1'])
  await expect(consumer.poll()).rejects.toMatchObject({ code: 'unavailable' })
})
