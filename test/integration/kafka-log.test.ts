import { setTimeout as pause } from 'node:timers/promises'
import { inject } from 'vitest'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { FORGETFUL_MS, logContract } from '../contract/log.ts'

const settings = parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers') })
const logger = createLogger('test', 'error')

logContract('Kafka', async () => ({
  log: await openKafkaLog(settings, logger),
  // A member leaves its group by itself when it was not polled for longer than it promised.
  forget: () => pause(2 * FORGETFUL_MS),
}))
