import { expect, test } from 'vitest'
import { parseFormula } from '../../../../services/query-api/insights/trend-formula.ts'
import {
  cumulative,
  formulaLines,
  largestFirst,
  smoothed,
  trendLines,
} from '../../../../services/query-api/insights/trend-lines.ts'

const line = (value: string, data: number[], isOther = false) => ({ value, data, isOther })

test('points without events are zero, values without events have a line, and all others come last', () => {
  const records = [
    { start_ms: '20', line: 'a', is_other: 0, amount: '3' },
    { start_ms: 10, line: '', is_other: 1, amount: 9 },
  ]
  expect(trendLines([10, 20], records, { values: ['a', 'b'], edges: null })).toEqual([
    line('a', [0, 3]),
    line('b', [0, 0]),
    line('', [9, 0], true),
  ])
})

test('a row that belongs to no point is a fault of ours', () => {
  const records = [{ start_ms: 15, line: '', is_other: 0, amount: 1 }]
  expect(() => trendLines([10, 20], records, null)).toThrow(/15/)
})

test('the largest line comes first, equal ones by value, and the rest last however large', () => {
  const lines = [line('', [99], true), line('b', [1]), line('c', [5]), line('a', [1])]
  expect(largestFirst(lines).map(({ value }) => value)).toEqual(['c', 'a', 'b', ''])
})

test('running sums and moving averages', () => {
  expect(cumulative([1, 2, 3])).toEqual([1, 3, 6])
  expect(smoothed([2, 4, 6, 0], 2)).toEqual([2, 3, 5, 3])
  expect(smoothed([2, 4], 5)).toEqual([2, 3])
})

test('a formula joins lines of the same value, and a line that a series lacks counts 0', () => {
  const series = [
    [line('x', [4, 4]), line('', [1, 1], true)],
    [line('y', [2, 0]), line('x', [2, 0])],
  ]
  expect(formulaLines(parseFormula('A / B', 2), series)).toEqual([
    line('x', [2, 0]),
    line('', [0, 0], true),
    line('y', [0, 0]),
  ])
})
