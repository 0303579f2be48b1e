import { expect, test } from 'vitest'
import { createLaneSlots } from '../../../services/subscriber-router/lane-slots.ts'

const never = new AbortController().signal

test('no more than the stated number are out, and who waits is served in order', async () => {
  const slots = createLaneSlots(2)
  const [first, second] = [await slots.take(never), await slots.take(never)]
  const order: string[] = []
  const third = slots.take(never).then((release) => {
    order.push('third')
    return release
  })
  const fourth = slots.take(never).then((release) => {
    order.push('fourth')
    return release
  })
  await Promise.resolve()
  expect(order).toEqual([])
  first?.()
  first?.() // Giving back twice gives back once.
  await third
  expect(order).toEqual(['third'])
  second?.()
  await fourth
  expect(order).toEqual(['third', 'fourth'])
})

test('who stops waiting takes no slot', async () => {
  const slots = createLaneSlots(1)
  const release = await slots.take(never)
  const stop = new AbortController()
  const waiting = slots.take(stop.signal)
  stop.abort()
  expect(await waiting).toBeNull()
  release?.()
  expect(await slots.take(never)).not.toBeNull()
  expect(await slots.take(stop.signal)).toBeNull()
})
