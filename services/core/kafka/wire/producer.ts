import { DependencyError } from '../../runtime/errors.ts'
import type { KafkaSettings } from '../kafka-settings.ts'
import type { Producer, ProducerOptions } from '../log.ts'
import { type Cluster, openCluster } from './cluster.ts'
import { queryError } from './error-policy.ts'
import { decodeInitProducerId, encodeInitProducerId, INIT_PRODUCER_ID } from './producer-identity.ts'
import { createRecordSender, type ProducerIdentity } from './record-sender.ts'

export function openProducer(settings: KafkaSettings, options: ProducerOptions): Producer {
  return createProducer(openCluster(settings, options.clientId), settings, options)
}

/** An idempotent producer. Opening it asks nothing of the cluster. */
export function createProducer(
  cluster: Cluster,
  settings: Pick<KafkaSettings, 'kafkaRequestTimeoutMs' | 'kafkaRecordBytesMax' | 'kafkaSendBufferBytesMax'>,
  options: ProducerOptions,
): Producer {
  let closed = false
  let asking: Promise<ProducerIdentity> | null = null

  /** One for all partitions that need one at the same time. */
  function identity(): Promise<ProducerIdentity> {
    asking ??= cluster
      .askAnyone(INIT_PRODUCER_ID, encodeInitProducerId(null))
      .then(decodeInitProducerId)
      .catch((error: unknown) => {
        throw queryError('Asking for a producer id', error)
      })
      .finally(() => {
        asking = null
      })
    return asking
  }

  const sender = createRecordSender(cluster, {
    transactionalId: null,
    lingerMs: options.lingerMs,
    deliveryTimeoutMs: options.deliveryTimeoutMs,
    requestTimeoutMs: settings.kafkaRequestTimeoutMs,
    batchBytesMax: settings.kafkaRecordBytesMax,
    heldBytesMax: settings.kafkaSendBufferBytesMax,
    identity,
    announce: async () => {},
  })

  return {
    async produce(records) {
      if (closed) throw new DependencyError('kafka', 'unavailable', 'The producer is closed.')
      const { stored, refusal, doubt } = await sender.send(records)
      if (refusal === null && doubt === null) return
      if (doubt === null && stored === 0) throw refusal as DependencyError
      const cause = (doubt ?? refusal) as DependencyError
      throw new DependencyError(
        'kafka',
        'outcome_unknown',
        `Sending ${records.length} records failed in part: ${cause.message}`,
        cause,
      )
    },
    async close() {
      if (closed) return
      closed = true
      sender.flush()
      await sender.idle()
      cluster.close()
    },
  }
}
