import { expect, test } from 'vitest'
import { createLineIds } from '../../../../services/cli/import/line-ids.ts'

const idsOf = (identity: string, lines: readonly string[], remembered?: number) => {
  const ids = createLineIds(identity, remembered)
  return lines.map((line) => ids.next(Buffer.from(line)))
}

test('equal lines get different ids, and the same ids when the file is read again', () => {
  const lines = ['a', 'b', 'a', 'a', 'b']
  expect(new Set(idsOf('f', lines)).size).toBe(5)
  expect(idsOf('f', lines)).toEqual(idsOf('f', lines))
})

test("a line's id does not depend on other lines around it", () => {
  expect(idsOf('f', ['x', 'a', 'y', 'a'])[3]).toBe(idsOf('f', ['a', 'a'])[1])
})

test('another file gives other ids', () => {
  expect(idsOf('f', ['a'])).not.toEqual(idsOf('g', ['a']))
})

test('equal lines that are near are told apart whatever the memory for counts is', () => {
  const lines = ['a', 'b', 'c', 'a', 'd', 'e', 'a']
  const ids = idsOf('f', lines, 3)
  expect(new Set(ids).size).toBe(lines.length)
})
