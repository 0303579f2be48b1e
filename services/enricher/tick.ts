import type { ProduceRecord } from '../core/kafka/log.ts'
import { HEADERS } from '../core/kafka/topics.ts'

/**
 * A record without an event: the only sign of life of an idle partition. Its append time proves that every later
 * record of the partition has a later one. Readers know it by its header and skip it.
 */
export function tickRecord(topic: string, partition: number): ProduceRecord {
  return {
    topic,
    partition,
    key: null,
    value: Buffer.from('{"tick":true}'),
    headers: { [HEADERS.tick]: '1' },
  }
}

/** Which of the topics a worker writes to have been silent, on the monotonic clock. */
export interface Silence {
  /** Topics that got nothing for `tickMs`. */
  due(nowMs: number): readonly string[]
  /** Something was committed into these topics. */
  wrote(topics: Iterable<string>, nowMs: number): void
}

export function createSilence(topics: readonly string[], tickMs: number, nowMs: number): Silence {
  const lastMs = new Map(topics.map((topic) => [topic, nowMs]))
  return {
    due: (now) => topics.filter((topic) => now - (lastMs.get(topic) as number) >= tickMs),
    wrote(written, now) {
      for (const topic of written) if (lastMs.has(topic)) lastMs.set(topic, now)
    },
  }
}
