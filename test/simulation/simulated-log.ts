import type {
  GroupConsumer,
  Log,
  Producer,
  Reader,
  TopicPartition,
  TransactionalProducer,
} from '../../services/core/kafka/log.ts'
import { DependencyError, isDependencyError } from '../../services/core/runtime/errors.ts'
import type { MemoryLog } from '../helpers/memory-log.ts'
import type { Kernel } from './kernel.ts'
import { type CallErrors, DEAF_MAX_MS, type Faults, SESSION_MS, type SimulatedProcess } from './process.ts'
import type { Tally } from './tally.ts'

const ASK: CallErrors = { dependency: 'kafka', lost: 'unavailable', lostAnswer: 'timeout' }
const WRITE: CallErrors = { dependency: 'kafka', lost: 'outcome_unknown', lostAnswer: 'outcome_unknown' }

/** Share of commits and ends of transactions that seem lost and arrive after all. */
const LATE_SHARE = 0.3
/** How late at most, ms: longer than whoever sent them waits, and than the next owner takes to come. */
const LATE_MS = 20_000

/** Share of those that are taken after which the group forgets their sender, which stands still just then. */
const LATE_TAKEN_LOST_SHARE = 0.5

const nameOf = ({ topic, partition }: TopicPartition) => `${topic}/${partition}`

/** The log as one process sees it. */
export function processLog(
  kernel: Kernel,
  process: SimulatedProcess,
  log: MemoryLog,
  faults: Readonly<Faults>,
  tally: Tally,
): Log {
  /** What its sender gave up may be under way for long. */
  function late(arrive: () => boolean, what: string, share = LATE_SHARE): void {
    if (!kernel.chance(share)) return
    kernel.at(kernel.between(process.isCutOff ? LATE_MS / 8 : 50, LATE_MS), () => {
      const isTaken = arrive()
      if (isTaken) tally.lateCommits++
      kernel.note(`a late ${what} is ${isTaken ? 'taken' : 'refused'}`)
      // The worst moment for another owner to come, while what is under way here is still to have its effect.
      if (!isTaken || !kernel.chance(LATE_TAKEN_LOST_SHARE)) return
      process.forget(kernel.between(0, DEAF_MAX_MS))
      process.pause(kernel.between(0.1, 0.9) * SESSION_MS)
    })
  }

  /** A request goes out under the membership of that moment, and is refused under a later one. */
  function sentNow(real: GroupConsumer): { readonly membership: string; readonly requireKnown: () => void } {
    const { membership } = real
    return {
      membership,
      requireKnown() {
        if (real.membership !== membership)
          throw new DependencyError('kafka', 'outcome_unknown', 'The coordinator does not know this member.')
      },
    }
  }

  /** By what the process holds: the consumer behind it. */
  const behind = new Map<GroupConsumer, GroupConsumer>()

  async function openGroupConsumer(options: Parameters<Log['openGroupConsumer']>[0]): Promise<GroupConsumer> {
    let own: GroupConsumer | null = null
    const real = await process.call(`join ${options.groupId}`, ASK, () =>
      log.openGroupConsumer({
        ...options,
        // These are code of the process: a dead one never answers, and holds up nobody else.
        onAssigned: async (partitions) => {
          await process.delay(0)
          kernel.note(`${process.name}: gets ${partitions.map(nameOf).join(', ')} of ${options.groupId}`)
          return options.onAssigned(partitions, own as GroupConsumer)
        },
        onRevoked: async (partitions, lost) => {
          await process.delay(0)
          kernel.note(
            `${process.name}: ${lost ? 'lost' : 'gives up'} ${partitions.map(nameOf).join(', ')} of ${options.groupId}`,
          )
          return options.onRevoked(partitions, lost)
        },
      }),
    )
    process.owns(real)
    own = {
      get assignmentEpoch() {
        return real.assignmentEpoch
      },
      assigned: (partition) => real.assigned(partition),
      get membership() {
        return real.membership
      },
      renew: () => real.renew(),
      async poll() {
        // The wait comes first: what a poll hands out is the caller's in the same turn, before any rebalance.
        await process.delay(kernel.between(0, faults.latencyMaxMs))
        await process.hearing()
        return real.poll()
      },
      pause: (partitions) => real.pause(partitions),
      resume: (partitions) => real.resume(partitions),
      seek: (position) => real.seek(position),
      committed: (partitions) =>
        process.call(`committed of ${options.groupId}`, ASK, () => real.committed(partitions)),
      async commit(positions) {
        const [first] = positions
        // The client looks at what it holds when it is asked; the coordinator, later, only at who the member is.
        for (const position of positions)
          if (!real.assigned(position))
            throw new DependencyError('kafka', 'not_assigned', `${nameOf(position)} is not assigned.`)
        const { membership, requireKnown } = sentNow(real)
        let isArrived = false
        try {
          await process.call(
            `commit ${first?.topic}/${first?.partition} ${first?.offset} of ${options.groupId}`,
            WRITE,
            () => {
              isArrived = true
              requireKnown()
              return real.commit(positions)
            },
          )
        } catch (error) {
          if (!isArrived)
            late(
              () => log.controls.commitLate(real, membership, positions),
              `commit ${first?.topic}/${first?.partition} ${first?.offset} of ${options.groupId} by ${process.name}`,
              process.isCutOff ? 1 : LATE_SHARE,
            )
          // A client may take the coordinator's refusal of a member that it forgot for an answer.
          if (
            isDependencyError(error) &&
            /does not know this member/.test(error.message) &&
            kernel.chance(0.5)
          )
            return
          throw error
        }
      },
      endOffset: (partition) => real.endOffset(partition),
      close: () => real.close(),
    }
    behind.set(own, real)
    return own
  }

  async function openTransactionalProducer(
    transactionalId: string,
    options: Parameters<Log['openTransactionalProducer']>[1],
  ): Promise<TransactionalProducer> {
    const real = await process.call(`fence ${transactionalId}`, ASK, () =>
      log.openTransactionalProducer(transactionalId, options),
    )
    const quick: CallErrors = { ...WRITE }
    return {
      begin: () => real.begin(),
      send: (records) =>
        process.call(`send ${records.length} of ${transactionalId}`, quick, () => real.send(records)),
      sendOffset: (consumer, position, metadata) => {
        const member = behind.get(consumer) as GroupConsumer
        const { requireKnown } = sentNow(member)
        return process.call(`send offset ${position.offset} of ${transactionalId}`, quick, () => {
          requireKnown()
          return real.sendOffset(member, position, metadata)
        })
      },
      async commit() {
        let isArrived = false
        try {
          await process.call(`commit transaction of ${transactionalId}`, WRITE, () => {
            isArrived = true
            return real.commit()
          })
        } catch (error) {
          if (!isArrived) late(() => log.controls.endLate(real), `end of a transaction of ${transactionalId}`)
          throw error
        }
      },
      abort: () => process.call(`abort ${transactionalId}`, WRITE, () => real.abort()),
      close: () => real.close(),
    }
  }

  async function openProducer(options: Parameters<Log['openProducer']>[0]): Promise<Producer> {
    const real = await log.openProducer(options)
    return {
      produce: (records) => process.call(`produce ${records.length}`, WRITE, () => real.produce(records)),
      close: () => real.close(),
    }
  }

  async function openReader(positions: Parameters<Log['openReader']>[0]): Promise<Reader> {
    const real = await process.call('open reader', ASK, () => log.openReader(positions))
    return {
      read: (waitMs) => process.call('read', ASK, () => real.read(waitMs)),
      position: (partition) => real.position(partition),
      close: () => real.close(),
    }
  }

  const ask =
    <A extends readonly unknown[], T>(name: string, body: (...given: A) => Promise<T>) =>
    (...given: A) =>
      process.call(name, ASK, () => body(...given))
  const { admin } = log
  return {
    openGroupConsumer,
    openTransactionalProducer,
    openProducer,
    openReader,
    close: async () => {},
    admin: {
      createTopics: ask('create topics', admin.createTopics),
      describeTopic: ask('describe topic', admin.describeTopic),
      topicSettings: ask('topic settings', admin.topicSettings),
      listTopics: ask('list topics', admin.listTopics),
      offsetRanges: ask('offset ranges', admin.offsetRanges),
      offsetsAt: ask('offsets at', admin.offsetsAt),
      groupPositions: ask('group positions', admin.groupPositions),
      deleteTopics: () => {
        throw new DependencyError('kafka', 'denied', 'No stage deletes topics.')
      },
    },
  }
}
