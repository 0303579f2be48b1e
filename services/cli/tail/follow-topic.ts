import type { Log, RecordBatch } from '../../core/kafka/log.ts'

export interface FollowOptions {
  readonly topic: string
  /** Where to start: only what comes from now on, or everything that is still there. */
  readonly from: 'end' | 'beginning'
  readonly signal: AbortSignal
}

const READ_WAIT_MS = 500

/**
 * Hands every batch to `take` until it answers false or the signal aborts. Reads committed records only, without a
 * consumer group: nobody's position is moved.
 *
 * @throws Error when there is no such topic
 */
export async function followTopic(
  log: Log,
  options: FollowOptions,
  take: (batch: RecordBatch) => boolean,
): Promise<void> {
  if ((await log.admin.describeTopic(options.topic)) === null)
    throw new Error(
      `There is no topic ${options.topic}. Stages make their topics when they start, and the router makes a ` +
        `subscription's within seconds of millrace apply: see that they run and that the name is right.`,
    )
  const ranges = await log.admin.offsetRanges(options.topic, 'read_committed')
  const reader = await log.openReader(
    ranges.map(({ topic, partition, start, end }) => ({
      topic,
      partition,
      offset: options.from === 'beginning' ? start : end,
    })),
  )
  try {
    while (!options.signal.aborted) {
      for (const batch of await reader.read(READ_WAIT_MS)) if (!take(batch)) return
    }
  } finally {
    await reader.close()
  }
}
