import { expect, onTestFinished, test } from 'vitest'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { createLogger } from '../../../services/core/runtime/logger.ts'
import { keepClosing } from '../../../services/s3-sink/closing-loop.ts'
import { createManualClock } from '../../helpers/manual-clock.ts'
import { createMemoryObjectStore } from '../../helpers/memory-object-store.ts'
import { SIGNING_KEY } from './delivery-world.ts'

/** A closing loop that looks every second, and everything it asked and told. */
async function loop() {
  const store = createMemoryObjectStore()
  for (const bucket of ['lake', 'pond']) await store.createBucket(bucket)
  const clock = createManualClock()
  const told: unknown[] = []
  const state = { store, clock, told, bucket: 'lake', partitions: 2, isOurs: true }
  store.onRequest = (verb, name) => void told.push(`${verb} ${name}`)
  const stop = new AbortController()
  const running = keepClosing(
    {
      store,
      signingKey: SIGNING_KEY,
      clock,
      logger: createLogger('test', 'debug', { write: () => {} }),
      everyMs: 1_000,
      delivery: 'warehouse',
      topic: 'events.enriched',
      bucket: () => state.bucket,
      partitions: async () => {
        told.push('partitions')
        return state.partitions
      },
      isOurs: () => state.isOurs,
      onProblem: (problem) => told.push(problem),
    },
    stop.signal,
  )
  onTestFinished(async () => {
    stop.abort()
    await running
  })
  return Object.assign(state, {
    async look() {
      told.length = 0
      await clock.advance(1_000)
      return [...told]
    },
  })
}

const MANIFESTS = [
  'list lake/_manifests/warehouse/events.enriched-0/',
  'list lake/_manifests/warehouse/events.enriched-1/',
]
const CLOSED = 'list lake/_closed/warehouse/events.enriched/'

test('a store that fails is told, and the next look begins anew', async () => {
  const closing = await loop()
  const { store } = closing
  const listen = store.onRequest
  store.onRequest = () => {
    throw new DependencyError('s3', 'timeout', 'S3 is slow')
  }
  expect(await closing.look()).toEqual(['partitions', 'Hours are not closed: S3 is slow'])
  store.onRequest = listen
  expect(await closing.look()).toEqual(['partitions', CLOSED, ...MANIFESTS, null])
})

test('the topic is asked for once it is there, not at every look', async () => {
  const closing = await loop()
  closing.partitions = 0
  expect(await closing.look()).toEqual(['partitions'])
  closing.partitions = 2
  expect(await closing.look()).toEqual(['partitions', CLOSED, ...MANIFESTS, null])
  expect(await closing.look()).toEqual([...MANIFESTS, null])
})

test('what stopped one process is not its problem any more once another closes', async () => {
  const closing = await loop()
  closing.store.onRequest = () => {
    throw new DependencyError('s3', 'denied', 'S3 refuses')
  }
  expect((await closing.look()).at(-1)).toMatch(/S3 refuses/)
  closing.isOurs = false
  expect(await closing.look()).toEqual([null])
})

test('nothing is looked at while another process closes, and everything anew after that or in another bucket', async () => {
  const closing = await loop()
  await closing.look()
  closing.isOurs = false
  expect(await closing.look()).toEqual([null])
  closing.isOurs = true
  expect(await closing.look()).toEqual(['partitions', CLOSED, ...MANIFESTS, null])
  closing.bucket = 'pond'
  expect((await closing.look())[1]).toBe(CLOSED.replace('lake', 'pond'))
})
