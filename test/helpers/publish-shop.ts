import { accessKeyHash } from '../../services/core/control/access-key.ts'
import { openControlPublisher } from '../../services/core/control/control-publisher.ts'
import type { Log } from '../../services/core/kafka/log.ts'
import type { KafkaNames } from '../../services/core/kafka/topics.ts'
import { systemClock } from '../../services/core/runtime/clock.ts'
import type { Logger } from '../../services/core/runtime/logger.ts'
import { putChange } from './put-change.ts'

/** Puts one dataset, `shop`, and a key to write to it into force. */
export async function publishShop(
  log: Log,
  names: KafkaNames,
  writeKey: string,
  logger: Logger,
): Promise<void> {
  const publisher = await openControlPublisher({ log, names, clock: systemClock, logger })
  await publisher.publish([
    putChange('dataset', { id: 'shop', account: 'acme' }, 'config'),
    putChange('key', { id: 'k', dataset: 'shop', scope: 'write', sha256: accessKeyHash(writeKey) }, 'config'),
  ])
  await publisher.close()
}
