import type { Logger } from '../runtime/logger.ts'
import type { KafkaSettings } from './kafka-settings.ts'
import type { Log } from './log.ts'
import { openAdmin } from './wire/admin.ts'
import { openGroupConsumer } from './wire/group-consumer.ts'
import { openProducer } from './wire/producer.ts'
import { openReader } from './wire/reader.ts'
import { openTransactionalProducer } from './wire/transactional-producer.ts'

/**
 * The log on a real Kafka cluster.
 *
 * @throws DependencyError from each member as the port says; opening itself asks nothing of the cluster
 */
export async function openKafkaLog(settings: KafkaSettings, logger: Logger): Promise<Log> {
  const admin = openAdmin(settings)
  const open = new Set<{ close(): Promise<void> }>()

  function track<T extends { close(): Promise<void> }>(client: T): T {
    open.add(client)
    const close = client.close
    client.close = async () => {
      await close.call(client)
      open.delete(client)
    }
    return client
  }

  return {
    openProducer: async (options) => track(await openProducer(settings, options, logger)),
    openTransactionalProducer: async (transactionalId, options) =>
      track(await openTransactionalProducer(settings, transactionalId, options, logger)),
    openGroupConsumer: async (options) =>
      track(openGroupConsumer(settings, options, logger, settings.kafkaGroupInstanceId)),
    openReader: async (positions) => track(openReader(settings, positions, logger)),
    admin,
    async close() {
      await Promise.all([...open].map((client) => client.close()))
      await admin.close()
    },
  }
}
