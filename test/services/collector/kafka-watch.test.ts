import { expect, test } from 'vitest'
import { createKafkaWatch } from '../../../services/collector/kafka-watch.ts'
import type { TopicInfo } from '../../../services/core/kafka/log.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'

const info = (partitions: number): TopicInfo => ({ topic: 'events.raw', topicId: '', partitions })

test('readiness follows sends and, in between, what the broker answers', async () => {
  const stop = new AbortController()
  const answers: (TopicInfo | null | Error)[] = [
    info(12),
    new DependencyError('kafka', 'unavailable', 'no broker'),
    null,
    info(13),
    info(12),
  ]
  const seen: (string | null)[] = []
  const admin = {
    async describeTopic() {
      const next = answers.shift()!
      if (next instanceof Error) throw next
      return next
    },
  }
  const clock = {
    now: () => 0,
    monotonic: () => 0,
    async sleep() {
      seen.push(watch.problem())
      if (answers.length === 0) stop.abort()
    },
  }
  const watch = createKafkaWatch(admin, 'events.raw', 12, 5000, clock)
  watch.note(new DependencyError('kafka', 'timeout', 'too slow'))
  expect(watch.problem()).toBe('Kafka did not acknowledge: too slow')
  watch.note(null)
  expect(watch.problem()).toBe(null)
  watch.note(new DependencyError('kafka', 'timeout', 'too slow'))
  await watch.run(stop.signal)
  expect(seen).toEqual([
    'Kafka did not acknowledge: too slow',
    null,
    'Kafka does not answer: no broker',
    'The topic events.raw is gone.',
    'The topic events.raw has 13 partitions, not 12; restart the collector.',
    null,
  ])
})

test('told to end, it waits for no answer of a Kafka that hangs', async () => {
  const stop = new AbortController()
  let asked = 0
  const admin = {
    describeTopic: () => {
      asked++
      stop.abort()
      return new Promise<TopicInfo>(() => {})
    },
  }
  const clock = { now: () => 0, monotonic: () => 0, sleep: () => Promise.resolve() }
  await createKafkaWatch(admin, 'events.raw', 12, 5000, clock).run(stop.signal)
  expect(asked).toBe(1)
})
