import { expect, test } from 'vitest'
import { encodingSlots } from '../../../services/s3-sink/encoding-slots.ts'

test('as many run as there are slots, the others in their order, also after a failure', async () => {
  const slot = encodingSlots(2)
  const journal: string[] = []
  const work = ['a', 'b', 'c', 'd'].map((name) => {
    const gate = Promise.withResolvers<void>()
    const done = slot(async () => {
      journal.push(name)
      await gate.promise
    })
    done.catch(() => {})
    return { gate, done }
  })
  await Promise.resolve()
  expect(journal).toEqual(['a', 'b'])
  work[1]!.gate.reject(new Error('failed'))
  await expect(work[1]!.done).rejects.toThrow('failed')
  expect(journal).toEqual(['a', 'b', 'c'])
  work[0]!.gate.resolve()
  await work[0]!.done
  expect(journal).toEqual(['a', 'b', 'c', 'd'])
  for (const { gate } of work) gate.resolve()
  await Promise.allSettled(work.map(({ done }) => done))
  expect(await slot(async () => 'free again')).toBe('free again')
})
