import type { Logger } from '../../runtime/logger.ts'
import type { KafkaSettings } from '../kafka-settings.ts'
import type { Position, Reader } from '../log.ts'
import { openCluster } from './cluster.ts'
import { createFetcher, fetcherOptions } from './fetcher.ts'

/** Records that one `read` hands out at most. */
const READ_RECORDS_MAX = 2_000

/** Reads named partitions, read_committed, without joining or committing to any group. */
export function openReader(settings: KafkaSettings, positions: readonly Position[], logger: Logger): Reader {
  const fetcher = createFetcher(
    openCluster(settings, 'millrace-reader'),
    fetcherOptions(settings.kafkaPrefetchBytesMax),
    logger,
  )
  fetcher.add(positions)
  let failure: unknown = null
  return {
    async read(waitMs) {
      await fetcher.ready(waitMs)
      if (failure !== null) throw failure
      try {
        return fetcher.take(READ_RECORDS_MAX)
      } catch (error) {
        // Whoever reads partitions to their end must not wait for one that has none.
        failure = error
        throw error
      }
    },
    position(which) {
      const position = fetcher.position(which)
      if (position === null) throw new Error(`${which.topic}[${which.partition}] is not read by this reader.`)
      return position
    },
    close: () => fetcher.close(),
  }
}
