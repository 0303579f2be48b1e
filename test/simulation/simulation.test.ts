import { expect, test } from 'vitest'
import { forbidChance } from './forbid-chance.ts'
import { simulate } from './simulate.ts'

test('a seed tells the same history again, bit for bit', async () => {
  const first = await simulate(7)
  await simulate(8)
  const again = await simulate(7)
  expect(again.traceHash).toBe(first.traceHash)
  expect(again.events).toBe(first.events)
})

test('another seed tells another history', async () => {
  expect((await simulate(9)).traceHash).not.toBe((await simulate(10)).traceHash)
})

test('a history may not ask the machine for time or chance, and gives both back at its end', async () => {
  const { random } = Math
  const allow = forbidChance()
  const asked = [() => Math.random(), () => Date.now(), () => setTimeout(() => {}, 1)].map((ask) => {
    try {
      ask()
      return 'answered'
    } catch {
      return 'refused'
    }
  })
  allow()
  expect(asked).toEqual(['refused', 'refused', 'refused'])
  await simulate(1)
  expect(Math.random).toBe(random)
})
