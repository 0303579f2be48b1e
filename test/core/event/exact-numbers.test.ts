import fc from 'fast-check'
import { expect, test } from 'vitest'
import { hasWideNumbers, parseExactly, withExactNumbers } from '../../../services/core/event/exact-numbers.ts'

function written(eventJson: string): string {
  const value = Buffer.from(`{"v":1,"event":${eventJson}}`)
  return JSON.stringify(withExactNumbers(value, JSON.parse(value.toString()).event))
}

test.each([
  '9007199254740993',
  '-9007199254740993',
  '9223372036854775808',
  '1e400',
  '0.1e-999',
  '3.14159265358979323846',
  '12345678901234567890.5',
  '1e-400',
])('%s is written as it was sent', (digits) => {
  expect(written(`{"n":${digits}}`)).toBe(`{"n":${digits}}`)
})

test.each([
  ['1.0', '1'],
  ['1e2', '100'],
  ['-0', '0'],
  ['0.10', '0.1'],
  ['1E+3', '1000'],
  ['9007199254740992', '9007199254740992'],
  ['0e999999999999999999', '0'],
  ['100000000000000000000', '100000000000000000000'],
])('%s is the number %s, which a double holds', (digits, number) => {
  expect(written(`{"n":${digits}}`)).toBe(`{"n":${number}}`)
})

test('digits in texts are no numbers', () => {
  expect(
    hasWideNumbers(Buffer.from('{"a":"12345678901234567890","b\\"1e9":"\\\\","c":true,"d":false,"e":1.5}')),
  ).toBe(false)
})

test('whatever JSON is sent, the number written is the number sent', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 3 }), (json) => {
      expect(JSON.parse(written(`{"value":${json}}`))).toEqual({ value: JSON.parse(json) })
    }),
  )
  fc.assert(
    fc.property(fc.bigInt(), fc.nat(30), (whole, places) => {
      const digits = `${whole}.${'7'.repeat(places)}1`
      const text = /"n":([^}]*)/.exec(written(`{"n":${digits}}`))?.[1] as string
      expect(text === digits || text === String(Number(digits))).toBe(true)
      if (digits.replace(/\D/g, '').length > 17) expect(text).toBe(digits)
    }),
  )
})

test('what was parsed is written again as it was, whatever numbers are in it', () => {
  for (const json of [
    '{"a":[1,9007199254740993],"__proto__":{"b":1e400}}',
    '{"a":1.5,"b":"9007199254740993"}',
  ])
    expect(JSON.stringify(parseExactly(Buffer.from(json)))).toBe(json)
})
