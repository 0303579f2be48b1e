import { expect, test } from 'vitest'
import { ensureTopics, RETENTION_MS, topicSpecs } from '../../../services/core/kafka/topic-specs.ts'
import { kafkaNames } from '../../../services/core/kafka/topics.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createMemoryLog } from '../../helpers/memory-log.ts'

const names = kafkaNames('t.')
const options = { partitions: 6, replicationFactor: 3, dedupeWindowMs: 3_600_000 }
const specs = new Map(topicSpecs(names, options).map((spec) => [spec.topic, spec]))

test('raw, enriched and rejected records carry the time of their append', () => {
  for (const topic of [names.raw, names.enriched, names.rejected])
    expect(specs.get(topic)?.config['message.timestamp.type']).toBe('LogAppendTime')
})

test('ids are kept for the window before the oldest raw record', () => {
  expect(specs.get(names.dedupe)?.config['retention.ms']).toBe(String(RETENTION_MS.raw + 3_600_000))
})

test('control has one partition and keeps the latest of every key', () => {
  expect(specs.get(names.control)).toMatchObject({ partitions: 1, config: { 'cleanup.policy': 'compact' } })
})

test('everything that is joined by partition number has as many partitions', () => {
  const counts = [names.raw, names.enriched, names.rejected, names.receipts, names.dedupe].map(
    (topic) => specs.get(topic)?.partitions,
  )
  expect(counts).toEqual([6, 6, 6, 6, 6])
  expect([...specs.values()].every((spec) => spec.replicationFactor === 3)).toBe(true)
})

test('missing topics are made, and a second time with other counts changes nothing', async () => {
  const log = createMemoryLog({ clock: createManualClock() })
  await ensureTopics(log.admin, names, options)
  await ensureTopics(log.admin, names, { ...options, partitions: 12 })
  expect((await log.admin.listTopics()).toSorted()).toEqual([...specs.keys()].sort())
  expect((await log.admin.describeTopic(names.raw))?.partitions).toBe(6)
})
