import { expect, test } from 'vitest'
import { bucketWatch } from '../../../services/s3-sink/bucket-watch.ts'
import { controlView } from '../../helpers/memory-control.ts'
import { createMemoryObjectStore } from '../../helpers/memory-object-store.ts'
import { delivery } from './delivery-world.ts'

async function watch(buckets: readonly string[]) {
  const store = createMemoryObjectStore()
  for (const bucket of buckets) await store.createBucket(bucket)
  const asked: string[] = []
  store.onRequest = (_, place) => asked.push(place.split('/')[0] as string)
  const deliveries = [
    delivery({ id: 'a' }),
    delivery({ id: 'b', bucket: 'other' }),
    delivery({ id: 'c', bucket: 'other' }),
  ]
  return { asked, ask: bucketWatch(store, controlView({ deliveries }), 'lake', 'k1').ask }
}

test('a bucket of any delivery that is gone is told', async () => {
  const { ask } = await watch(['lake'])
  await expect(ask()).rejects.toThrow(/other/)
})

test('each bucket is asked once, whatever it holds', async () => {
  const { ask, asked } = await watch(['lake', 'other'])
  await ask()
  expect(asked.sort()).toEqual(['lake', 'other'])
})
