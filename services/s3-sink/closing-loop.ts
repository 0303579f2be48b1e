import type { SigningKey } from '../core/manifest/manifest-signature.ts'
import type { ObjectStore } from '../core/object-store/object-store.ts'
import type { Clock } from '../core/runtime/clock.ts'
import { isDependencyError } from '../core/runtime/errors.ts'
import type { Logger } from '../core/runtime/logger.ts'
import { type HourCloser, hourCloser } from './close-hours.ts'

export interface ClosingLoop {
  readonly store: ObjectStore
  readonly signingKey: SigningKey
  readonly clock: Clock
  readonly logger: Logger
  /** Pause between two looks, ms. */
  readonly everyMs: number
  readonly delivery: string
  readonly topic: string
  /** Where the delivery writes now; it may be configured anew. */
  readonly bucket: () => string
  /** Partitions of the topic; 0 while it is not there. Asked until it is: the count never changes in place. */
  readonly partitions: () => Promise<number>
  /** Asked before every look. */
  readonly isOurs: () => boolean
  /** Told after every look: why hours are not closed, or null. */
  readonly onProblem: (problem: string | null) => void
}

/** Closes the delivery's hours until the signal aborts. Whatever stops it from doing so holds up nothing else. */
export async function keepClosing(loop: ClosingLoop, signal: AbortSignal): Promise<void> {
  const { clock, logger, delivery, topic } = loop
  let closer: HourCloser | null = null
  let bucket = ''
  while (!signal.aborted) {
    await clock.sleep(loop.everyMs, signal)
    if (signal.aborted) return
    if (!loop.isOurs()) {
      closer = null
      // It is another process's now, also to tell.
      loop.onProblem(null)
      continue
    }
    if (bucket !== loop.bucket()) closer = null
    try {
      bucket = loop.bucket()
      if (closer === null) {
        const partitions = await loop.partitions()
        if (partitions === 0) continue
        closer = hourCloser(loop.store, loop.signingKey, { delivery, bucket, topic, partitions })
      }
      for (const hour of await closer.step()) logger.info({ hour }, 'Closed an hour.')
      loop.onProblem(null)
    } catch (error) {
      if (!isDependencyError(error)) throw error
      closer = null
      loop.onProblem(`Hours are not closed: ${error.message}`)
      logger[error.retriable ? 'warn' : 'error']({ err: error }, 'An hour could not be closed.')
    }
  }
}
