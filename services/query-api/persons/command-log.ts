import type { IdentityCommand } from '../../../schemas/identity-record/v1.ts'
import { identityProduceRecord } from '../../core/event/identity-record.ts'
import type { Log, Producer } from '../../core/kafka/log.ts'
import type { KafkaNames } from '../../core/kafka/topics.ts'
import { DependencyError } from '../../core/runtime/errors.ts'

/** Where calls leave what they ask of persons. */
export interface CommandLog {
  /**
   * Resolves when every command is acknowledged by all in-sync replicas, in this order within a dataset. May be called
   * while earlier calls are under way.
   *
   * @throws DependencyError `rejected` or `not_found` when none was taken, `outcome_unknown` when some may have been
   */
  send(commands: readonly IdentityCommand[]): Promise<void>
}

/** A call waits for it. */
const DELIVERY_TIMEOUT_MS = 15_000

/** Commands in `events.identity`. Its producer is opened with the first of them: most processes never send one. */
export function createCommandLog(log: Log, names: Pick<KafkaNames, 'identity'>): CommandLog {
  let opened: Promise<{ readonly producer: Producer; readonly partitions: number }> | null = null

  async function open() {
    const topic = await log.admin.describeTopic(names.identity)
    if (topic === null)
      throw new DependencyError(
        'kafka',
        'not_found',
        `${names.identity} is not there: start the identity stage first.`,
      )
    const producer = await log.openProducer({
      clientId: 'millrace-query-api',
      lingerMs: 0,
      deliveryTimeoutMs: DELIVERY_TIMEOUT_MS,
    })
    return { producer, partitions: topic.partitions }
  }

  return {
    async send(commands) {
      opened ??= open()
      const { producer, partitions } = await opened.catch((error: unknown) => {
        opened = null
        throw error
      })
      await producer.produce(
        commands.map((command) => identityProduceRecord(names.identity, partitions, command)),
      )
    },
  }
}
