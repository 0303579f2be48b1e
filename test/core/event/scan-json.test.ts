import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type JsonLimits,
  NO_LIMITS,
  scanElements,
  scanJson,
  scanMembers,
} from '../../../services/core/event/scan-json.ts'

const scan = (text: string, limits: Partial<JsonLimits> = {}) => {
  const bytes = Buffer.from(text)
  return scanJson(bytes, 0, bytes.length, { ...NO_LIMITS, ...limits })
}
const code = (text: string, limits: Partial<JsonLimits> = {}) => scan(text, limits).fault?.code ?? null
const nested = (levels: number) => '['.repeat(levels) + ']'.repeat(levels)

test('each limit passes at its value and refuses one more', () => {
  expect(code(nested(64), { depthMax: 64 })).toBe(null)
  expect(code(nested(65), { depthMax: 64 })).toBe('too_deep')
  expect(code('{"a":1,"b":2}', { keysPerObjectMax: 2 })).toBe(null)
  expect(code('{"a":1,"b":2,"c":3}', { keysPerObjectMax: 2 })).toBe('too_many_keys')
  expect(code('[{"a":1,"b":2},{"a":1,"b":2}]', { keysPerObjectMax: 2 })).toBe(null)
  expect(code('[{"a":1,"b":2},{"a":1,"b":2}]', { keysMax: 4 })).toBe(null)
  expect(code('[{"a":1,"b":2},{"a":1,"b":2}]', { keysMax: 3 })).toBe('too_many_keys')
  expect(code('["éé"]', { textBytesMax: 4 })).toBe(null)
  expect(code('["ééx"]', { textBytesMax: 4 })).toBe('text_too_long')
  expect(code('{"abcde":1}', { textBytesMax: 4 })).toBe('text_too_long')
})

test('brackets, colons and escapes inside text count for nothing', () => {
  expect(code('{"a":"[[[{{{:::\\"]]"}', { depthMax: 1, keysMax: 1 })).toBe(null)
  expect(scan('"a\\\\"x').end).toBe(5)
})

test('five million levels are refused in one flat pass', () => {
  expect(code(nested(5_000_000), { depthMax: 64 })).toBe('too_deep')
})

test('too deep is told before any other fault, because such a value must not be built', () => {
  expect(code(`["long", ${nested(65)}]`, { depthMax: 64, textBytesMax: 1 })).toBe('too_deep')
})

test('numbers that overflow a double are refused, all others pass', () => {
  for (const good of ['0', '-0', '9007199254740993', '1e308', '1E-400', '0.1e-999', '9'.repeat(308)])
    expect([good, code(`[${good}]`)]).toEqual([good, null])
  for (const bad of ['1e400', '-1E400', '9'.repeat(310), `1${'0'.repeat(400)}.5`])
    expect([bad, code(`[${bad}]`)]).toEqual([bad, 'invalid_value'])
})

test('escapes of half a surrogate pair are refused, whole pairs pass', () => {
  for (const good of ['\\ud83d\\ude00', '\\u0000', '\\\\ud800', '\\u00e9', '\\uD83D\\uDE00x', '\\ue000'])
    expect([good, code(`["${good}"]`)]).toEqual([good, null])
  for (const bad of ['\\ud800', '\\udc00', '\\ud800\\ud800', '\\ud800x', '\\uDBFF\\n', 'x\\udfff\\ud800'])
    expect([bad, code(`["${bad}"]`)]).toEqual([bad, 'invalid_utf8'])
})

test('on any JSON the end is the end of the value, and elements and members are those of JSON.parse', () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.constantFrom(undefined, 1, '\t'), (values, indent) => {
      const text = JSON.stringify(values, null, indent)
      const bytes = Buffer.from(`${text} ,tail`)
      const { elements, end } = scanElements(bytes, 0, bytes.length, NO_LIMITS, 1e9)
      expect(end).toBe(Buffer.byteLength(text))
      expect(elements.map((e) => JSON.parse(bytes.toString('utf8', e.start, e.end)))).toEqual(
        JSON.parse(text),
      )
    }),
  )
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      fc.constantFrom(undefined, 2),
      (object, indent) => {
        const text = JSON.stringify(object, null, indent)
        const bytes = Buffer.from(text)
        const members: [string, unknown][] = []
        const end = scanMembers(bytes, 0, bytes.length, (key, start) => {
          const value = scanJson(bytes, start, bytes.length, NO_LIMITS)
          members.push([key, JSON.parse(bytes.toString('utf8', start, value.end))])
          return value.end
        })
        expect(end).toBe(bytes.length)
        expect(members).toEqual(Object.entries(JSON.parse(text) as object))
      },
    ),
  )
})

test('a key written with escapes is read as JSON.parse reads it', () => {
  const bytes = Buffer.from('{"b\\u0061tch" : 1}')
  const keys: string[] = []
  scanMembers(bytes, 0, bytes.length, (key, start) => {
    keys.push(key)
    return start + 1
  })
  expect(keys).toEqual(['batch'])
})

test('whatever the bytes, a scan ends inside them', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array(),
        fc.string({ unit: fc.constantFrom(...'{}[]",:\\u1e-. \nd8') }).map(Buffer.from),
      ),
      (given) => {
        const bytes = Buffer.from(given)
        for (const limits of [NO_LIMITS, { ...NO_LIMITS, depthMax: 2, keysMax: 2, textBytesMax: 3 }]) {
          const { end } = scanJson(bytes, 0, bytes.length, limits)
          expect(end).toBeLessThanOrEqual(bytes.length)
          if (bytes.length > 0) expect(end).toBeGreaterThan(0)
          expect(scanElements(bytes, 0, bytes.length, limits, 5).end).toBeLessThanOrEqual(bytes.length + 1)
        }
      },
    ),
    { numRuns: 2000 },
  )
})
