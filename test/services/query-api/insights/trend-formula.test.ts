import fc from 'fast-check'
import { expect, test } from 'vitest'
import { evaluateFormula, parseFormula } from '../../../../services/query-api/insights/trend-formula.ts'

const value = (text: string, ...values: number[]) =>
  evaluateFormula(parseFormula(text, values.length), values)

test.each([
  ['A', [3], 3],
  ['a + B', [3, 4], 7],
  ['A - B - C', [10, 3, 2], 5],
  ['A / B / C', [8, 2, 2], 2],
  ['A + B * C', [1, 2, 3], 7],
  ['(A + B) × C', [1, 2, 3], 9],
  ['A ÷ B − 1', [3, 2], 0.5],
  ['-A * -(B)', [2, 3], 6],
  ['A / B * 100', [1, 3], 33.33],
  ['A * 1.5', [1], 1.5],
] as const)('%s of %j is %d', (text, values, expected) => {
  expect(value(text, ...values)).toBe(expected)
})

test('what is no finite number is 0', () => {
  expect([value('A/B', 1, 0), value('A/B', 0, 0), value('-A/B', 1, 0)]).toEqual([0, 0, 0])
})

test.each(['', 'A +', 'A B', '(A', 'A)', 'C', '2A', 'A ** B', 'A % B', 'sqrt(A)', '1e5', 'A'.repeat(201)])(
  'the formula %s is refused',
  (text) => {
    expect(() => parseFormula(text, 2)).toThrow()
  },
)

test('a formula means what the same sum means to JavaScript, whatever its brackets', () => {
  const text: fc.Arbitrary<string> = fc.letrec((tie) => ({
    sum: fc.oneof(
      { maxDepth: 5 },
      fc.constantFrom('A', 'B', '7', '0.25'),
      fc.tuple(tie('sum'), fc.constantFrom('+', '-', '*', '/'), tie('sum')).map((parts) => parts.join(' ')),
      tie('sum').map((inner) => `(${inner})`),
    ),
  })).sum as fc.Arbitrary<string>
  fc.assert(
    fc.property(text, fc.integer({ min: -9, max: 9 }), fc.integer({ min: -9, max: 9 }), (formula, a, b) => {
      fc.pre(formula.length <= 200)
      const exact = new Function('A', 'B', `return ${formula}`)(a, b) as number
      const expected = Number.isFinite(exact) ? Math.round(exact * 100) / 100 : 0
      expect(value(formula, a, b)).toBe(expected)
    }),
  )
})
