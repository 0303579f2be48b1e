import { setTimeout as pause } from 'node:timers/promises'
import { inject } from 'vitest'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import { openKafkaLog } from '../../services/core/kafka/librdkafka-log.ts'
import { openGroupConsumer } from '../../services/core/kafka/wire/group-consumer.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { FORGETFUL_MS, logContract } from '../contract/log.ts'

const settings = parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers') })
const logger = createLogger('test', 'error')

logContract(
  'groups on the wire',
  async () => {
    const log = await openKafkaLog(settings, logger)
    return {
      log: { ...log, openGroupConsumer: async (options) => openGroupConsumer(settings, options, logger) },
      // A member leaves its group by itself when it was not polled for longer than it promised.
      forget: () => pause(2 * FORGETFUL_MS),
    }
  },
  'groups',
)
