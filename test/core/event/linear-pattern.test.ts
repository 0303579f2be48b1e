import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  linearPattern,
  PATTERN_STATES_MAX,
  PatternError,
} from '../../../services/core/event/linear-pattern.ts'

/** Patterns of the supported language, small enough that JavaScript's own engine answers. */
const atom = fc.constantFrom(
  'a',
  'b',
  'é',
  '😀',
  '.',
  '\\d',
  '\\W',
  '\\s',
  '[a-c]',
  '[^ab]',
  '[\\d_-]',
  '[^\\w]',
  '[\\S]',
  '\\.',
  '\\u0061',
  '\\x62',
  '\\u{1F600}',
)
const { pattern } = fc.letrec<{ pattern: string; piece: string }>((tie) => ({
  piece: fc.oneof(
    { weight: 4, arbitrary: atom },
    {
      weight: 2,
      arbitrary: fc
        .tuple(atom, fc.constantFrom('*', '+', '?', '{2}', '{1,3}', '{0}', '{2,}', '*?'))
        .map((each) => each.join('')),
    },
    { weight: 1, arbitrary: tie('pattern').map((inner) => `(${inner})`) },
    {
      weight: 1,
      arbitrary: fc
        .tuple(tie('pattern'), fc.constantFrom('?', '{1,2}', '{0,1}'))
        .map(([inner, times]) => `(?:${inner})${times}`),
    },
  ),
  pattern: fc.oneof(
    { maxDepth: 2 },
    fc.array(tie('piece'), { maxLength: 4 }).map((pieces) => pieces.join('')),
    fc.tuple(tie('piece'), tie('piece')).map(([a, b]) => `${a}|${b}`),
    fc.tuple(fc.constantFrom('^', ''), tie('piece'), fc.constantFrom('$', '')).map((each) => each.join('')),
  ),
}))
const text = fc
  .array(fc.constantFrom('a', 'b', 'c', '1', '_', ' ', '\n', 'é', '😀', '-', '.'), { maxLength: 8 })
  .map((all) => all.join(''))

test('it matches exactly what JavaScript matches', () => {
  fc.assert(
    fc.property(pattern, fc.array(text, { minLength: 1, maxLength: 8 }), (source, texts) => {
      const own = linearPattern(source)
      const theirs = new RegExp(source, 'u')
      for (const each of texts)
        expect([source, each, own.test(each)]).toEqual([source, each, theirs.test(each)])
    }),
    { numRuns: 2_000 },
  )
})

test.each(['(a+)+$', '(a|a)*$', '(a*)*b', '([a-z]+)*!', '^(\\d+\\s?)+$', '(.*)*x'])(
  '%s over a hostile text takes steps in proportion to it',
  (source) => {
    const pattern = linearPattern(source)
    // Either answer is right for one of these; what counts is that there is one.
    expect(pattern.test(`${'a'.repeat(10_000)}\n`)).toBe(new RegExp(source, 'u').test('\n'))
    expect(pattern.states).toBeLessThan(20)
  },
)

test.each([
  '(?=a)',
  '(?!a)',
  '(?<=a)',
  '(?<!a)',
  '(a)\\1',
  '(?<n>a)\\k<n>',
  '\\bword',
  '\\p{L}',
  '\\cA',
  '(',
  ')',
  '[a',
  '[b-a]',
  '[\\d-z]',
  'a**',
  '*',
  '+a',
  '?',
  '{2}',
  'a{3,1}',
  'a{',
  'a}',
  ']',
  '\\',
  '\\x1',
  '\\u12',
  '\\u{110000}',
  '\\01',
  '^*',
  '(?i)a',
  `${'('.repeat(60)}${')'.repeat(60)}`,
  'a{3000}',
  '((a{100}){100}){100}',
  '(){999999}',
  'x'.repeat(1_001),
])('%s is refused', (source) => {
  expect(() => linearPattern(source)).toThrow(PatternError)
})

test('what counts write out is bounded', () => {
  expect(linearPattern('a{1000}').states).toBeLessThanOrEqual(PATTERN_STATES_MAX)
})
