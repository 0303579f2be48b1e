import { expect, test } from 'vitest'
import { putBlocks } from '../../../services/recordings/put-block.ts'
import { createMemoryObjectStore } from '../../helpers/memory-object-store.ts'

const block = (key: string, text = key) => ({ key, body: Buffer.from(text), sha256: `hash of ${text}` })
const blocks = Array.from({ length: 20 }, (_, n) => block(`b${n}`))

async function world() {
  const store = createMemoryObjectStore()
  await store.createBucket('lake')
  return { store, objects: store.buckets.get('lake')! }
}

test('all blocks are written, and what an earlier try wrote is left as it is', async () => {
  const { store, objects } = await world()
  await putBlocks(store, 'lake', blocks.slice(0, 7))
  await putBlocks(store, 'lake', blocks)
  expect([...objects.keys()].toSorted()).toEqual(blocks.map(({ key }) => key).toSorted())
  for (const { key, body } of blocks) expect(objects.get(key)?.bytes.equals(body)).toBe(true)
})

test('something else under the name of a block is told, and stays', async () => {
  const { store, objects } = await world()
  await putBlocks(store, 'lake', [block('b3', 'other')])
  await expect(putBlocks(store, 'lake', blocks)).rejects.toMatchObject({ code: 'corrupt' })
  expect(objects.get('b3')?.bytes.toString()).toBe('other')
})

test('a block that was removed between the try and the look is as good as written: its rows go, too', async () => {
  const { store, objects } = await world()
  await putBlocks(store, 'lake', blocks)
  store.onRequest = (verb) => {
    if (verb === 'head') objects.clear()
  }
  await putBlocks(store, 'lake', [block('b1')])
  expect(objects.size).toBe(0)
})
