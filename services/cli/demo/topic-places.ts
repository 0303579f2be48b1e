import { type ConsoleAccess, type ConsoleRecord, readTopic } from './console-consumer.ts'
import { countEvent } from './reconcile.ts'

/** What one topic holds of this run. */
export interface TopicContent {
  readonly events: ReadonlyMap<string, number>
  /** Values of the events, where they were asked for, in no particular order. */
  readonly values: readonly string[]
}

export interface TopicReading extends ConsoleAccess {
  readonly idleMs: number
  /** Last offset that may hold a record, per partition that holds any; see {@link readTopic}. */
  readonly lastOffsets: (topic: string) => Promise<ReadonlyMap<number, number>>
  /** Only events that pass: those acknowledged in this run. */
  readonly concerns: (event: string) => boolean
}

/** Reads one topic from where `group` stands to its end. Ticks carry no event and are passed over. */
export async function readTopicContent(
  reading: TopicReading,
  topic: string,
  group: string,
  withValues: boolean,
): Promise<TopicContent> {
  const events = new Map<string, number>()
  const values: string[] = []
  const lastOffsets = await reading.lastOffsets(topic)
  await readTopic(
    { ...reading, lastOffsets, topic, group, withValues },
    ({ headers, value }: ConsoleRecord) => {
      const [dataset, eventId] = [headers.get('dataset_id'), headers.get('event_id')]
      if (dataset === undefined || eventId === undefined) return
      if (!reading.concerns(`${dataset}/${eventId}`)) return
      countEvent(events, dataset, eventId)
      if (value !== null) values.push(value)
    },
  )
  return { events, values }
}
