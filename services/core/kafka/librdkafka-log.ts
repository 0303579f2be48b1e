import type { Logger } from '../runtime/logger.ts'
import type { KafkaSettings } from './kafka-settings.ts'
import { type LibrdkafkaConsumer, openLibrdkafkaConsumer } from './librdkafka-consumer.ts'
import { openLibrdkafkaProducer } from './librdkafka-producer.ts'
import {
  openLibrdkafkaTransactionalProducer,
  type WithNativeConsumer,
} from './librdkafka-transactional-producer.ts'
import type { GroupConsumer, Log } from './log.ts'
import { openAdmin } from './wire/admin.ts'
import { openReader } from './wire/reader.ts'

/**
 * The log on a real Kafka cluster, through librdkafka.
 *
 * @throws DependencyError from each member as the port says; opening itself asks nothing of the cluster
 */
export async function openKafkaLog(settings: KafkaSettings, logger: Logger): Promise<Log> {
  const admin = openAdmin(settings)
  const open = new Set<{ close(): Promise<void> }>()
  const natives = new WeakMap<GroupConsumer, LibrdkafkaConsumer>()

  const withNative: WithNativeConsumer = (consumer, use) => {
    const own = natives.get(consumer)
    if (!own) throw new Error('A position can only be sent for a consumer of the same log.')
    return own.withNative(use)
  }
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
    openProducer: async (options) => track(await openLibrdkafkaProducer(settings, options, logger)),
    openTransactionalProducer: async (transactionalId, options) =>
      track(
        await openLibrdkafkaTransactionalProducer(settings, transactionalId, options, withNative, logger),
      ),
    async openGroupConsumer(options) {
      const own = await openLibrdkafkaConsumer(settings, options, logger)
      natives.set(own.consumer, own)
      return track(own.consumer)
    },
    openReader: async (positions) => track(openReader(settings, positions, logger)),
    admin,
    async close() {
      await Promise.all([...open].map((client) => client.close()))
      await admin.close()
    },
  }
}
