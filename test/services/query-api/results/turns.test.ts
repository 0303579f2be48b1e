import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createTurns } from '../../../../services/query-api/results/turns.ts'
import { settle } from '../../../helpers/manual-clock.ts'

function opened(atOnce: number, perOwner: number, waiting: number) {
  const turns = createTurns(atOnce, perOwner, waiting)
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const take = (owner: string, name: string) => {
    const { promise, resolve } = Promise.withResolvers<void>()
    ends.set(name, resolve)
    return turns.take(owner, () => {
      begun.push(name)
      return promise
    })
  }
  return { take, begun, end: (name: string) => ends.get(name)?.() }
}

test('one owner’s many do not keep another one from his turn', async () => {
  const { take, begun, end } = opened(2, 1, 10)
  for (const name of ['a1', 'a2', 'a3']) take('a', name)
  take('b', 'b1')
  await settle()
  expect(begun).toEqual(['a1', 'b1'])
  end('b1')
  await settle()
  expect(begun).toEqual(['a1', 'b1'])
  end('a1')
  await settle()
  expect(begun).toEqual(['a1', 'b1', 'a2'])
})

test('more than may wait are refused, and others’ are not', async () => {
  const { take } = opened(1, 1, 2)
  expect(['a1', 'a2', 'a3', 'a4'].map((name) => take('a', name) === null)).toEqual([
    false,
    false,
    false,
    true,
  ])
  expect(take('b', 'b1')).not.toBe(null)
})

test('work that fails leaves its place to the next', async () => {
  const turns = createTurns(1, 1, 5)
  await expect(turns.take('a', () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await turns.take('a', async () => 'yes')).toBe('yes')
})

test('never more at once than may be, and everybody gets his turn', async () => {
  const owners = fc.array(fc.constantFrom('a', 'b', 'c'), { maxLength: 30 })
  await fc.assert(
    fc.asyncProperty(
      owners,
      fc.integer({ min: 1, max: 4 }),
      fc.integer({ min: 1, max: 4 }),
      async (asked, all, each) => {
        const turns = createTurns(all, each, 100)
        const running: string[] = []
        const works = asked.map((owner) =>
          turns.take(owner, async () => {
            running.push(owner)
            expect(running.length).toBeLessThanOrEqual(all)
            expect(running.filter((one) => one === owner).length).toBeLessThanOrEqual(each)
            await Promise.resolve()
            running.splice(running.indexOf(owner), 1)
            return owner
          }),
        )
        expect(await Promise.all(works)).toEqual(asked)
      },
    ),
  )
})
