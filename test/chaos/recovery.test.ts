import { expect, test } from 'vitest'
import { kafkaNames } from '../../services/core/kafka/topics.ts'
import { catchUpOf, isSettled } from './catch-up.ts'
import { heldPartitions, watchedConsumers } from './consumers.ts'
import { percentile } from './recovery.ts'
import { arrivalRate, lagSecondsOf, type Standing } from './standing.ts'

/** One look a second. */
function standings(
  fromMs: number,
  ...looks: readonly (readonly [committed: number, end: number])[]
): Standing[] {
  return looks.map(([committed, end], index) => ({ atMs: fromMs + index * 1000, committed, end }))
}

/** 100 arrive per second; 50 to 150 are not done yet. */
const LIVE = standings(0, [50, 100], [50, 200], [250, 300])

test('a lag is as many seconds as it takes that much to arrive', () => {
  expect(arrivalRate(LIVE)).toBe(100)
  expect(lagSecondsOf(LIVE)).toBeCloseTo((50 + 150 + 50) / 3 / 100)
})

test('without arrivals there is no rate', () => {
  expect(() => arrivalRate(standings(0, [5, 9], [9, 9]))).toThrow('Nothing arrived')
  expect(() => arrivalRate(LIVE.slice(0, 1))).toThrow('Nothing arrived')
})

test('a consumer is settled when records arrive and it keeps up with them', () => {
  expect(isSettled(LIVE)).toBe(true)
  expect(isSettled(standings(0, [0, 100], [0, 100]))).toBe(false)
  expect(isSettled(standings(0, [0, 2_000], [0, 2_100]))).toBe(false)
})

test('a consumer has caught up at its usual lag or at no more than three seconds, and what it did until then counts from its start', () => {
  const since = standings(10_000, [250, 1_000], [250, 1_100], [850, 1_200], [950, 1_300], [1_150, 1_400])
  expect(catchUpOf(LIVE, since.slice(0, 4), 9_000, 9_000)).toBeNull()
  // 900 offsets in 5 s, where 100 a second are usual.
  expect(catchUpOf(LIVE, since, 9_000, 9_000)).toEqual({ seconds: 5, timesLive: 1.8 })
  const oftenBehind = standings(0, [0, 500], [100, 600])
  expect(catchUpOf(oftenBehind, since, 9_000, 9_000)?.seconds).toBe(3)
})

test('who lives on another consumer has not caught up before that one has', () => {
  const since = standings(10_000, [250, 260], [900, 910], [1_300, 1_310])
  expect(catchUpOf(LIVE, since, 10_000, Number.POSITIVE_INFINITY)).toBeNull()
  expect(catchUpOf(LIVE, since, 10_000, 12_000)?.seconds).toBe(2)
})

test('a process has the partitions of which it tells the lag, of this consumer alone', () => {
  const [enricher, , s3] = watchedConsumers(kafkaNames(''))
  const metrics = `# TYPE millrace_s3_sink_partition_lag_records gauge
millrace_s3_sink_partition_lag_records{delivery="warehouse",topic="events.enriched",partition="3"} 12
millrace_s3_sink_partition_lag_records{delivery="purchases",topic="events.enriched",partition="1"} 0
millrace_s3_sink_partition_queue_records{delivery="warehouse",topic="events.enriched",partition="2"} 0
millrace_s3_sink_partition_lag_records{delivery="warehouse",topic="events.enriched",partition="0"} 0`
  expect(heldPartitions(metrics, s3!)).toEqual([3, 0])
  expect(heldPartitions(metrics, enricher!)).toEqual([])
})

test('a percentile is one of the values', () => {
  expect([0.5, 0.99, 1].map((share) => percentile([4, 1, 3, 2], share))).toEqual([2, 4, 4])
  expect(percentile([], 0.5)).toBeNull()
})
