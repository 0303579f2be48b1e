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
import type { CallErrors, Faults, SimulatedProcess } from './process.ts'

const ASK: CallErrors = { dependency: 'kafka', lost: 'unavailable', lostAnswer: 'timeout' }
const WRITE: CallErrors = { dependency: 'kafka', lost: 'outcome_unknown', lostAnswer: 'outcome_unknown' }

/** Share of commits without an answer that arrive after all, much later. */
const LATE_COMMITS = 0.3
/** How late, ms. */
const LATE_MS = 20_000

const nameOf = ({ topic, partition }: TopicPartition) => `${topic}/${partition}`

/** The log as one process sees it. */
export function processLog(
  kernel: Kernel,
  process: SimulatedProcess,
  log: MemoryLog,
  faults: Readonly<Faults>,
): Log {
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
      async poll() {
        // The wait comes first: what a poll hands out is the caller's in the same turn, before any rebalance.
        await process.delay(kernel.between(0, faults.latencyMaxMs))
        return real.poll()
      },
      pause: (partitions) => real.pause(partitions),
      resume: (partitions) => real.resume(partitions),
      seek: (position) => real.seek(position),
      committed: (partitions) =>
        process.call(`committed of ${options.groupId}`, ASK, () => real.committed(partitions)),
      async commit(positions) {
        const [first] = positions
        try {
          await process.call(
            `commit ${first?.topic}/${first?.partition} ${first?.offset} of ${options.groupId}`,
            WRITE,
            () => real.commit(positions),
          )
        } catch (error) {
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
      sendOffset: (consumer, position, metadata) =>
        process.call(`send offset ${position.offset} of ${transactionalId}`, quick, () =>
          real.sendOffset(behind.get(consumer) as GroupConsumer, position, metadata),
        ),
      async commit() {
        let isArrived = false
        try {
          await process.call(`commit transaction of ${transactionalId}`, WRITE, () => {
            isArrived = true
            return real.commit()
          })
        } catch (error) {
          if (!isArrived && kernel.chance(LATE_COMMITS))
            kernel.at(
              LATE_MS,
              () =>
                void real.commit().catch(() => kernel.note(`a late commit of ${transactionalId} is refused`)),
            )
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
      groupPositions: ask('group positions', admin.groupPositions),
      deleteTopics: () => {
        throw new DependencyError('kafka', 'denied', 'No stage deletes topics.')
      },
    },
  }
}
