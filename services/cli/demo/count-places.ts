import type { SentEvent } from './acknowledged.ts'
import { type ClickHouseAddress, readClickHouseRows } from './clickhouse-rows.ts'
import type { ConsoleRecord } from './console-consumer.ts'
import { type Bucket, type DeliveryContent, readDelivery } from './delivery-reader.ts'
import {
  entitledEvents,
  SAMPLE_DELIVERIES,
  SAMPLE_REJECTED_DELIVERIES,
  SAMPLE_SUBSCRIPTIONS,
} from './entitlements.ts'
import { commitReadingStarts, type ReadingStarts } from './reading-positions.ts'
import { countEvent, type Place, perDataset } from './reconcile.ts'
import { readTopicContent, type TopicReading } from './topic-places.ts'

/** Resolved when everything that was sent is in every place of that kind. */
export interface Arrivals {
  readonly topics: Promise<void>
  readonly files: Promise<void>
  readonly rows: Promise<void>
}

/** The topics that are counted. */
export const COUNTED_TOPICS = [
  'events.enriched',
  'events.rejected',
  ...Object.keys(SAMPLE_SUBSCRIPTIONS).map((id) => `sub.${id}`),
]

/** Where everything lies, and what was sent in this run. */
export interface RunToCount {
  /** How often each event was acknowledged, as the sender saw it. */
  readonly acknowledged: ReadonlyMap<string, number>
  /** Those events as they were sent: who is entitled to what is said by nothing that the pipeline wrote. */
  readonly events: ReadonlyMap<string, SentEvent>
  /** How many of them the pipeline must reject and let pass, per dataset, as the sender made them. */
  readonly expected: {
    readonly enriched: ReadonlyMap<string, number>
    readonly rejected: ReadonlyMap<string, number>
  }
  readonly reading: Omit<TopicReading, 'concerns'>
  /** Where the topics ended before this run. */
  readonly starts: ReadingStarts
  /** Tells this count from every other. */
  readonly name: string
  /** Put in front of topic names. */
  readonly topicPrefix: string
  readonly bucket: Bucket
  /** Manifests that lay there before this run. */
  readonly manifestsBefore: ReadonlySet<string>
  /** Where the sink of a delivery stands; see {@link DeliveryReading}. */
  readonly positionsOf: (delivery: string) => Promise<ReadonlyMap<string, number>>
  readonly clickhouse: ClickHouseAddress
  readonly arrived: Arrivals
  /** Called with a few words whenever another kind of place is read. */
  readonly onProgress: (what: string) => void
}

/** Reads every place of the sample configuration that this run's events had to reach. */
export async function countPlaces(run: RunToCount): Promise<Place[]> {
  const { acknowledged, topicPrefix } = run
  const concerns = (event: string) => acknowledged.has(event)
  const subscriptions = Object.entries(SAMPLE_SUBSCRIPTIONS)
  const readTopics = async () => {
    const groupOf = await commitReadingStarts(run.reading, run.starts, run.name)
    // They are read while they fill: the rest of it is short then.
    void run.arrived.topics.then(
      () => run.onProgress('topics'),
      () => {},
    )
    const lastOffsets = (name: string) => run.arrived.topics.then(() => run.reading.lastOffsets(name))
    const reading = { ...run.reading, concerns, lastOffsets }
    const topic = <Facts>(name: string, factsOf: ((record: ConsoleRecord) => Facts) | null) =>
      readTopicContent(reading, topicPrefix + name, groupOf(topicPrefix + name), factsOf)
    return Promise.all([
      topic('events.enriched', null),
      topic('events.rejected', ({ value }) => JSON.parse(String(value)) as Record<string, string>),
      Promise.all(subscriptions.map(([id]) => topic(`sub.${id}`, null))),
    ])
  }
  const readFiles = async () => {
    await run.arrived.files
    run.onProgress('files')
    const deliveries = new Map<string, DeliveryContent>()
    for (const id of [...Object.keys(SAMPLE_DELIVERIES), ...SAMPLE_REJECTED_DELIVERIES])
      deliveries.set(
        id,
        await readDelivery(run.bucket, {
          id,
          prefix: id,
          before: run.manifestsBefore,
          positions: await run.positionsOf(id),
          concerns,
        }),
      )
    return deliveries
  }
  const readRows = async () => {
    await run.arrived.rows
    run.onProgress('ClickHouse')
    return Promise.all([
      readClickHouseRows(run.clickhouse, 'events', concerns),
      readClickHouseRows(run.clickhouse, 'rejected_events', concerns),
    ])
  }
  const [[enriched, rejected, subscribed], deliveries, [rows, rejectedRows]] = await Promise.all([
    readTopics(),
    readFiles(),
    readRows(),
  ])
  const all = new Set(acknowledged.keys())
  const both = new Map(enriched.events)
  for (const { dataset_id, event_id, code } of rejected.facts) {
    // Another payload under the id of an accepted event: the id itself is counted where it was accepted.
    if (code !== 'id_conflict') countEvent(both, dataset_id!, event_id!)
  }
  const inEnriched = new Set(enriched.events.keys())
  const inRejected = new Set(rejected.events.keys())
  return [
    {
      name: 'accepted over HTTP',
      counted: 'enriched + rejected',
      seen: { kind: 'events', expected: all, found: both },
      faults: [],
    },
    {
      name: 'events.enriched',
      counted: 'records',
      seen: { kind: 'counts', expected: run.expected.enriched, found: perDataset(enriched.events) },
      faults: [],
    },
    {
      name: 'events.rejected',
      counted: 'records',
      seen: { kind: 'counts', expected: run.expected.rejected, found: perDataset(rejected.events) },
      faults: [],
    },
    ...subscriptions.map(
      ([id, entitled], index): Place => ({
        name: `sub.${id}`,
        counted: 'records',
        seen: {
          kind: 'events',
          expected: entitledEvents(inEnriched, run.events, entitled),
          found: subscribed[index]!.events,
        },
        faults: [],
      }),
    ),
    ...Object.entries(SAMPLE_DELIVERIES).flatMap(([id, entitled]) =>
      deliveryPlaces(id, entitledEvents(inEnriched, run.events, entitled), deliveries.get(id)!),
    ),
    ...SAMPLE_REJECTED_DELIVERIES.flatMap((id) => deliveryPlaces(id, inRejected, deliveries.get(id)!)),
    {
      name: 'ClickHouse events',
      counted: 'rows',
      seen: { kind: 'events', expected: inEnriched, found: rows },
      faults: [],
    },
    {
      name: 'ClickHouse rejected_events',
      counted: 'rows',
      seen: { kind: 'events', expected: inRejected, found: rejectedRows },
      faults: [],
    },
  ]
}

/** A delivery stands in the table twice: as its manifests tell it, and as its files are. */
function deliveryPlaces(id: string, expected: ReadonlySet<string>, content: DeliveryContent): Place[] {
  const counts = perDataset([...expected].map((event) => [event, 1] as const))
  return [
    {
      name: `delivery ${id}`,
      counted: 'manifests',
      seen: { kind: 'counts', expected: counts, found: content.manifestRows },
      faults: content.faults,
    },
    {
      name: `delivery ${id}`,
      counted: 'rows in files',
      seen: { kind: 'events', expected, found: content.events },
      faults: [],
    },
  ]
}
