import { type Clock, systemClock } from '../../runtime/clock.ts'
import { DependencyError, isDependencyError } from '../../runtime/errors.ts'
import type { Logger } from '../../runtime/logger.ts'
import type { KafkaSettings } from '../kafka-settings.ts'
import type { Producer, ProducerOptions } from '../log.ts'
import { APIS } from './apis.ts'
import { type Cluster, openCluster } from './cluster.ts'
import { WireWriter } from './codec.ts'
import { newDelivery, settled } from './delivery.ts'
import { effectError, queryError } from './dependency-errors.ts'
import { BrokerError } from './errors.ts'
import type { ProducerIdentity } from './partition-queue.ts'
import { createRecordSender, type SenderAuthor, type SenderOptions } from './record-sender.ts'
import { createSignal } from './signal.ts'

/** The highest epoch of a producer id. */
const EPOCH_MAX = 32_767
/** Pause before a broker is asked again for a producer id, ms. */
const ASK_AGAIN_MS = 100

/** @param options beyond what the settings say of sending */
export function senderOptions(
  settings: KafkaSettings,
  options: { readonly lingerMs: number; readonly deliveryTimeoutMs: number },
): SenderOptions {
  return {
    lingerMs: options.lingerMs,
    deliveryTimeoutMs: options.deliveryTimeoutMs,
    requestTimeoutMs: settings.kafkaRequestTimeoutMs,
    batchBytesMax: settings.kafkaRecordBytesMax,
    bufferBytesMax: settings.kafkaSendBufferBytesMax,
  }
}

/** An idempotent producer. @throws DependencyError `unavailable`, `timeout`, `denied` */
export function openProducer(
  settings: KafkaSettings,
  options: ProducerOptions,
  logger: Logger,
): Promise<Producer> {
  const cluster = openCluster(settings, options.clientId)
  return createProducer(cluster, senderOptions(settings, options), systemClock, logger)
}

/**
 * Each partition's records are numbered under an id and epoch. Where it is not known what is stored, the epoch of that
 * partition goes up and its numbers start from 0, which other partitions need not know of: brokers keep producers per
 * partition (KIP-360). An id whose epochs are used up, or that the brokers take for another, is replaced.
 */
export async function createProducer(
  cluster: Cluster,
  options: SenderOptions,
  clock: Clock,
  logger: Logger,
): Promise<Producer> {
  let shared: ProducerIdentity | null = null
  let obtaining: Promise<void> | null = null
  let closed = false

  /** @param deadline on the monotonic clock */
  async function obtain(deadline: number): Promise<void> {
    const body = new WireWriter().string(null).int32(0).int64(-1).int16(-1).noTags()
    for (;;) {
      try {
        const answer = await cluster.askAnyone(APIS.initProducerId, body)
        answer.int32() // throttle time
        const code = answer.int16()
        if (code !== 0) throw new BrokerError(code)
        shared = { producerId: answer.int64(), epoch: answer.int16() }
        return
      } catch (cause) {
        const error = queryError('Asking for a producer id', cause)
        if (!error.retriable || closed || clock.monotonic() >= deadline) throw error
        logger.warn({ err: error }, 'Kafka gives no producer id; asking again.')
      }
      await clock.sleep(ASK_AGAIN_MS)
    }
  }

  const author: SenderAuthor = {
    api: APIS.produce,
    transactionalId: null,
    isReady: (queue) => (queue.identity ?? shared) !== null,
    prepare() {
      obtaining ??= obtain(clock.monotonic() + options.deliveryTimeoutMs).finally(() => {
        obtaining = null
      })
      return obtaining
    },
    identity: (queue) => queue.identity ?? (shared as ProducerIdentity),
    retire(queue, isFenced) {
      const { identity } = queue
      if (identity === null) return
      if (!isFenced && identity.epoch < EPOCH_MAX) {
        queue.identity = { producerId: identity.producerId, epoch: identity.epoch + 1 }
      } else {
        queue.identity = null
        if (shared?.producerId === identity.producerId) shared = null
      }
      queue.nextSequence = 0
    },
  }

  try {
    await obtain(clock.monotonic() + options.requestTimeoutMs)
  } catch (error) {
    cluster.close()
    throw error
  }
  const sender = createRecordSender(cluster, author, options, clock, logger)
  const idle = createSignal()
  let underWay = 0

  return {
    async produce(records) {
      if (closed) throw new DependencyError('kafka', 'unavailable', 'The producer is closed.')
      if (records.length === 0) return
      const delivery = newDelivery()
      underWay++
      const queueing = sender.add(records, delivery)
      if (queueing !== null) await queueing
      await settled(delivery)
      underWay--
      if (underWay === 0) idle.raise()
      const { doubt, refusal, taken } = delivery
      const cause = doubt ?? refusal
      if (cause === null) return
      const doing = `Sending ${records.length} records`
      if (doubt === null && taken === 0) throw effectError(doing, cause)
      if (isDependencyError(cause) && cause.code === 'outcome_unknown') throw cause
      throw new DependencyError(
        'kafka',
        'outcome_unknown',
        `${doing} failed in part: ${cause.message}`,
        cause,
      )
    },
    async close() {
      if (closed) return
      closed = true
      sender.flush()
      while (underWay > 0) await idle.wait()
      sender.close()
    },
  }
}
