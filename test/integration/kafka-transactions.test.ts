import { inject } from 'vitest'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import { openTransactionalProducer } from '../../services/core/kafka/wire/transactional-producer.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { logContract } from '../contract/log.ts'

const settings = parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers') })
const logger = createLogger('test', 'error')

/** The broker here has transactions with an epoch each; older ones do not, and millrace must not need them. */
logContract(
  'transactions as older brokers have them',
  async () => {
    const log = await openKafkaLog(settings, logger)
    return {
      log: {
        ...log,
        openTransactionalProducer: (id, options) =>
          openTransactionalProducer(settings, id, options, logger, 1),
      },
      forget: () => Promise.reject(new Error('No group is forgotten here.')),
      commitLate: () => Promise.reject(new Error('No position is committed here.')),
    }
  },
  'transactions',
)
