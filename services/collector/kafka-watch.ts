import type { LogAdmin } from '../core/kafka/log.ts'
import type { Clock } from '../core/runtime/clock.ts'
import { isDependencyError } from '../core/runtime/errors.ts'
import { unlessAborted } from '../core/runtime/unless-aborted.ts'

export interface KafkaWatch {
  /** What a send came to: null when it was acknowledged. */
  note(error: unknown): void
  /** For readiness: null when Kafka took the last send or answered the last question. */
  problem(): string | null
  /** Asks about the topic every `intervalMs` until the signal aborts, and waits for no answer then. */
  run(signal: AbortSignal): Promise<void>
}

/**
 * Knows whether Kafka is there. Sends tell as they happen; questions in between tell while nothing is sent, and let
 * a process that was taken out of service for failed sends come back.
 */
export function createKafkaWatch(
  admin: Pick<LogAdmin, 'describeTopic'>,
  topic: string,
  partitions: number,
  intervalMs: number,
  clock: Clock,
): KafkaWatch {
  let problem: string | null = null

  async function ask(): Promise<string | null> {
    try {
      const info = await admin.describeTopic(topic)
      if (info === null) return `The topic ${topic} is gone.`
      if (info.partitions !== partitions)
        return `The topic ${topic} has ${info.partitions} partitions, not ${partitions}; restart the collector.`
      return null
    } catch (error) {
      if (!isDependencyError(error)) throw error
      return `Kafka does not answer: ${error.message}`
    }
  }
  return {
    note(error) {
      problem = error === null ? null : `Kafka did not acknowledge: ${(error as Error).message}`
    },
    problem: () => problem,
    async run(signal) {
      while (!signal.aborted) {
        await clock.sleep(intervalMs, signal)
        if (!signal.aborted) problem = await unlessAborted(ask(), signal)
      }
    },
  }
}
