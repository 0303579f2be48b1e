import { expect, test } from 'vitest'
import { personIdOf } from '../../../services/core/event/person-id.ts'

test('a person’s id follows from dataset and key alone, and has the shape of a version 5 UUID', () => {
  const id = personIdOf('shop', 'ann')
  expect(id).toBe(personIdOf('shop', 'ann'))
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
})

test('equal keys of two datasets are two persons, wherever the border between both texts lies', () => {
  const ids = [personIdOf('shop', 'ann'), personIdOf('blog', 'ann'), personIdOf('sho', 'pann')]
  expect(new Set(ids).size).toBe(3)
})

test('ids that were given away once stay', () => {
  expect(personIdOf('shop', 'ann')).toBe('5f0f243f-756a-5406-883c-9faed68cca3d')
})
