import { type ConsoleAccess, type ConsoleRecord, readTopic } from './console-consumer.ts'
import { countEvent } from './reconcile.ts'

/** What one topic holds of this run. */
export interface TopicContent<Facts> {
  readonly events: ReadonlyMap<string, number>
  /** What was read of each event's value, in no particular order. */
  readonly facts: readonly Facts[]
}

export interface TopicReading extends ConsoleAccess {
  readonly idleMs: number
  /** Last offset that may hold a record, per partition that holds any; see {@link readTopic}. */
  readonly lastOffsets: (topic: string) => Promise<ReadonlyMap<number, number>>
  /** Only events that pass: those acknowledged in this run. */
  readonly concerns: (event: string) => boolean
}

/**
 * Reads one topic from where `group` stands to its end. Ticks carry no event and are passed over.
 *
 * @param factsOf what to keep of a record, whose value is not kept itself: a run's are hundreds of megabytes; null when
 *   values are not needed
 */
export async function readTopicContent<Facts>(
  reading: TopicReading,
  topic: string,
  group: string,
  factsOf: ((record: ConsoleRecord) => Facts) | null,
): Promise<TopicContent<Facts>> {
  const events = new Map<string, number>()
  const facts: Facts[] = []
  const withValues = factsOf !== null
  const lastOffsets = reading.lastOffsets(topic)
  await readTopic({ ...reading, lastOffsets, topic, group, withValues }, (record) => {
    const { headers } = record
    const [dataset, eventId] = [headers.get('dataset_id'), headers.get('event_id')]
    if (dataset === undefined || eventId === undefined) return
    if (!reading.concerns(`${dataset}/${eventId}`)) return
    countEvent(events, dataset, eventId)
    if (factsOf !== null) facts.push(factsOf(record))
  })
  return { events, facts }
}
