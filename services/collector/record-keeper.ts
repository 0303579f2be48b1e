import type { ProduceRecord, Producer } from '../core/kafka/log.ts'
import { isDependencyError } from '../core/runtime/errors.ts'
import type { KafkaWatch } from './kafka-watch.ts'

/** Where records are safe: acknowledged by Kafka, or synced to the local store. */
export type KeptIn = 'kafka' | 'store'

export interface RecordKeeper {
  /**
   * Resolves when all of these records are safe. Rejects with a DependencyError when they are not: see
   * {@link tookNothing} for whether some of them may be. May be called while earlier calls are under way; records of
   * one partition keep the order of the calls.
   */
  keep(records: readonly ProduceRecord[]): Promise<KeptIn>
}

/** Keeps records in Kafka alone. */
export function kafkaKeeper(
  producer: Pick<Producer, 'produce'>,
  watch: Pick<KafkaWatch, 'note'>,
): RecordKeeper {
  return {
    async keep(records) {
      try {
        await producer.produce(records)
      } catch (error) {
        if (isDependencyError(error)) watch.note(error)
        throw error
      }
      watch.note(null)
      return 'kafka'
    },
  }
}

/** True for the failures after which, as the ports promise, no record of the call is kept anywhere. */
export function tookNothing(error: unknown): boolean {
  if (!isDependencyError(error)) return false
  return error.dependency === 'disk'
    ? error.code === 'overloaded' || error.code === 'read_only'
    : error.code === 'rejected' || error.code === 'not_found'
}
