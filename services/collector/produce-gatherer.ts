import type { ProduceRecord, Producer } from '../core/kafka/log.ts'
import type { Clock } from '../core/runtime/clock.ts'
import { isDependencyError } from '../core/runtime/errors.ts'

export interface GatherLimits {
  /** Longest time that a record waits for others, ms. */
  readonly lingerMs: number
  /** Reaching either sends at once. */
  readonly recordsMax: number
  readonly bytesMax: number
}

export interface ProduceGatherer {
  /** As {@link Producer.produce}: resolves when all of these records are acknowledged, rejects with its error. */
  produce(records: readonly ProduceRecord[], bytes: number): Promise<void>
}

interface Waiting {
  readonly records: readonly ProduceRecord[]
  readonly resolve: () => void
  readonly reject: (error: unknown) => void
}

/**
 * Gathers the records of requests that arrive at about the same time into one call of the producer: a call costs
 * much more than a record, and most requests carry a single event.
 *
 * Requests share a call but not a verdict. Where Kafka took none of a shared call because one record was wrong, each
 * request is sent again by itself, so that only the wrong one fails.
 */
export function createProduceGatherer(
  producer: Pick<Producer, 'produce'>,
  limits: GatherLimits,
  clock: Clock,
): ProduceGatherer {
  let waiting: Waiting[] = []
  let records = 0
  let bytes = 0
  /** Goes up with each send, so that a timer set for an earlier gathering leaves the next alone. */
  let round = 0

  function send(): void {
    const gathered = waiting
    waiting = []
    records = 0
    bytes = 0
    round++
    void settle(gathered)
  }

  async function settle(gathered: readonly Waiting[]): Promise<void> {
    try {
      await producer.produce(gathered.flatMap((one) => one.records))
    } catch (error) {
      if (gathered.length > 1 && tookNothing(error)) for (const one of gathered) void settle([one])
      else for (const one of gathered) one.reject(error)
      return
    }
    for (const one of gathered) one.resolve()
  }

  return {
    produce(own, ownBytes) {
      return new Promise((resolve, reject) => {
        waiting.push({ records: own, resolve, reject })
        records += own.length
        bytes += ownBytes
        if (records >= limits.recordsMax || bytes >= limits.bytesMax || limits.lingerMs === 0) return send()
        if (waiting.length > 1) return
        const started = round
        void clock.sleep(limits.lingerMs).then(() => {
          if (round === started) send()
        })
      })
    },
  }
}

/** True for the failures after which, as the port promises, no record of the call was taken. */
export function tookNothing(error: unknown): boolean {
  return isDependencyError(error) && (error.code === 'rejected' || error.code === 'not_found')
}
