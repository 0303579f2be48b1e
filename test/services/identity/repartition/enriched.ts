import { ENRICHED_EVENT_FIELDS, type EnrichedEvent } from '../../../../schemas/enriched-event/v1.ts'

/** An enriched event with nothing in it but what is given. */
export function enriched(given: Partial<EnrichedEvent> = {}): EnrichedEvent {
  return {
    ...(Object.fromEntries(
      ENRICHED_EVENT_FIELDS.map(({ name }) => [name, null]),
    ) as unknown as EnrichedEvent),
    schema_version: 1,
    event_id: 'e1',
    dataset_id: 'shop',
    event: 'view',
    distinct_id: 'ann',
    event_time: '2026-01-02T03:04:05.006Z',
    collector_time: '2026-01-02T03:04:06.000Z',
    time_corrected_ms: 0,
    protocol: 'native',
    src_partition: 2,
    src_offset: 40,
    recipe: 'r',
    properties: {},
    ...given,
  }
}
