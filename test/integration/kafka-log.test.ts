import { setTimeout as pause } from 'node:timers/promises'
import { inject } from 'vitest'
import { openKafkaLog } from '../../services/core/kafka/kafka-log.ts'
import { KAFKA_SETTINGS } from '../../services/core/kafka/kafka-settings.ts'
import { openCluster } from '../../services/core/kafka/wire/cluster.ts'
import { openGroupCoordinator } from '../../services/core/kafka/wire/group-coordinator.ts'
import { createLogger } from '../../services/core/runtime/logger.ts'
import { parseSettings } from '../../services/core/runtime/settings.ts'
import { FORGETFUL_MS, logContract } from '../contract/log.ts'

const settings = parseSettings(KAFKA_SETTINGS, { MILLRACE_KAFKA_BROKERS: inject('kafkaBrokers') })
const logger = createLogger('test', 'error')

logContract('Kafka', async () => ({
  log: await openKafkaLog(settings, logger),
  // A member leaves its group by itself when it was not polled for longer than it promised.
  forget: () => pause(2 * FORGETFUL_MS),
  async commitLate(_consumer, groupId, membership, position) {
    const open = () => openCluster(settings, 'late')
    const coordinator = openGroupCoordinator(open(), open(), groupId, null)
    const [memberId = '', generation] = membership.split('/')
    try {
      const member = { groupId, memberId, generationId: Number(generation), instanceId: null }
      return (await coordinator.commit(member, [position])) === 0
    } finally {
      coordinator.close()
    }
  },
}))
