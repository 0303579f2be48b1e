import { PERSON_VERSION_HEADER, type PersonRecord } from '../../../schemas/person/v1.ts'
import type { ProduceRecord } from '../../core/kafka/log.ts'
import { partitionOf } from '../../core/kafka/partition.ts'
import { HEADERS } from '../../core/kafka/topics.ts'
import type { OutboxRow } from '../store/identity-store.ts'

/**
 * Records for the topic of persons: of each person among these rows the newest state, a tombstone for one that is no
 * more. The rows' own text is the value.
 *
 * @param rows in the order of their numbers, so that a later one of the same person is the newer
 */
export function personRecords(
  rows: readonly OutboxRow[],
  topic: string,
  partitions: number,
): readonly ProduceRecord[] {
  const newest = new Map<string, ProduceRecord>()
  for (const { target, body } of rows) {
    if (target !== 'persons') continue
    const person = JSON.parse(body) as PersonRecord
    const key = `${person.dataset_id}:${person.person_key}`
    newest.set(key, {
      topic,
      partition: partitionOf(Buffer.from(key), partitions),
      key,
      value: person.is_deleted ? null : Buffer.from(body),
      headers: { [HEADERS.datasetId]: person.dataset_id, [PERSON_VERSION_HEADER]: String(person.version) },
    })
  }
  return [...newest.values()]
}
