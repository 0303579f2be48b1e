import fc from 'fast-check'
import { expect, test } from 'vitest'
import { createMask, type Mask, maskJson } from '../../../services/subscriber-router/mask-json.ts'

const cut = (text: string, mask: Mask) => maskJson(Buffer.from(text), mask)?.toString() ?? null
const include = (...paths: string[][]) => createMask('include', paths)
const exclude = (...paths: string[][]) => createMask('exclude', paths)

test.each([
  '',
  '1',
  '[1]',
  '{',
  '{"a"',
  '{"a":',
  '{"a":1',
  '{"a":1,}',
  '{"a":"x}',
  '{a:1}',
  '{"a":1}x',
  '{"a" 1}',
  '{"a":[1}',
])('what is no JSON object is not delivered to a mask: %j', (text) => {
  expect(cut(text, exclude(['b']))).toBeNull()
})

test('bytes that stay are the bytes that came: digits, escapes, order and doubled names', () => {
  const text = '{"a":1.50,"b":12345678901234567890,"2":"\\u0041\\"}","1":[1e2, {"x":"]"}],"a":2}'
  expect(cut(text, exclude(['zzz']))).toBe(text)
  expect(cut(text, exclude(['a']))).toBe('{"b":12345678901234567890,"2":"\\u0041\\"}","1":[1e2, {"x":"]"}]}')
  expect(cut(text, include(['1'], ['b']))).toBe('{"b":12345678901234567890,"1":[1e2, {"x":"]"}]}')
})

test('white space between members goes, inside values it stays', () => {
  expect(cut(' { "a" : { "x" : 1 } ,\n"b":2 } ', include(['a']))).toBe('{"a":{ "x" : 1 }}')
  expect(cut('{ }', include(['a']))).toBe('{}')
})

test('an escaped name is the name it stands for', () => {
  expect(cut('{"\\u0069p":"1.2.3.4","b":1}', exclude(['ip']))).toBe('{"b":1}')
})

test('a path goes into objects; a null has nothing to take out, anything else has nothing to find', () => {
  const text = '{"properties":{"a":1,"b":{"c":2,"d":3}},"set":null,"x":5}'
  expect(cut(text, exclude(['properties', 'b', 'c'], ['set', 'y'], ['x', 'y']))).toBe(
    '{"properties":{"a":1,"b":{"d":3}},"set":null,"x":5}',
  )
  expect(cut(text, include(['properties', 'b', 'c'], ['set', 'y'], ['x', 'y']))).toBe(
    '{"properties":{"b":{"c":2}},"set":null}',
  )
  expect(cut(text, include(['properties'], ['properties', 'a']))).toBe(
    '{"properties":{"a":1,"b":{"c":2,"d":3}}}',
  )
})

test('a mask does to bytes what deleting members does to the parsed object', () => {
  // Not '"' and '\\' together: V8's JSON.parse of Node 24 takes one for the other once it has seen both.
  const names = fc.constantFrom('a', 'b', 'é', '"', '__proto__', 'constructor', '', '7')
  const paths = fc.array(fc.array(names, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 })
  const value = fc.letrec((tie) => ({
    object: fc.dictionary(names, tie('any'), { maxKeys: 5, noNullPrototype: true }),
    any: fc.oneof(
      { maxDepth: 3 },
      fc.constantFrom(null, 1, true, 'x}', '{"'),
      fc.array(fc.integer(), { maxLength: 2 }),
      tie('object'),
    ),
  })).object
  fc.assert(
    fc.property(value, paths, fc.boolean(), (object, named, indented) => {
      const text = JSON.stringify(object, null, indented ? 2 : 0)
      const parsed = JSON.parse(text)
      expect(JSON.parse(cut(text, exclude(...named)) ?? '')).toEqual(without(parsed, named))
    }),
    { numRuns: 1000 },
  )
})

function without(object: Record<string, unknown>, paths: readonly string[][]): unknown {
  const members = Object.keys(object).flatMap((name): [string, unknown][] => {
    const inside = paths.filter(([first]) => first === name).map(([, ...rest]) => rest)
    if (inside.some((rest) => rest.length === 0)) return []
    const value = object[name]
    const plain = typeof value === 'object' && value !== null && !Array.isArray(value)
    return [[name, plain && inside.length > 0 ? without(value as Record<string, unknown>, inside) : value]]
  })
  return JSON.parse(
    `{${members.map(([name, value]) => `${JSON.stringify(name)}:${JSON.stringify(value)}`).join()}}`,
  )
}
