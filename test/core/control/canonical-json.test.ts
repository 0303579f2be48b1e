import fc from 'fast-check'
import { expect, test } from 'vitest'
import { canonicalHash, canonicalJson } from '../../../services/core/control/canonical-json.ts'

test('what JSON cannot hold is refused, and so is what is nested too deep', () => {
  expect(() => canonicalJson({ a: Number.NaN })).toThrow(TypeError)
  expect(() => canonicalJson({ a: () => 1 })).toThrow(TypeError)
  let deep: unknown = 1
  for (let i = 0; i < 65; i++) deep = [deep]
  expect(() => canonicalJson(deep)).toThrow(RangeError)
})

test('the order of members does not matter, and undefined members are not there', () => {
  expect(canonicalJson({ b: 1, a: [true, null, 'x'], c: undefined })).toBe('{"a":[true,null,"x"],"b":1}')
  expect(canonicalHash({ b: 1, a: 2 })).toBe(canonicalHash({ a: 2, b: 1 }))
})

test('the text reads back as the same value, whatever the names of the members', () => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 6 }), (value) => {
      expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)))
    }),
  )
  const hostile = JSON.parse('{"__proto__":{"x":1},"constructor":2}')
  expect(canonicalJson(hostile)).toBe('{"__proto__":{"x":1},"constructor":2}')
})
