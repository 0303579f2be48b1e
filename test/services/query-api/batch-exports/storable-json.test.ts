import fc from 'fast-check'
import { expect, test } from 'vitest'
import { storableJson } from '../../../../services/query-api/batch-exports/storable-json.ts'

test.each([
  ['"a"', '"a"'],
  ['"\\u0000x"', '"\\ufffdx"'],
  ['"\\\\u0000"', '"\\\\u0000"'],
  ['"\\\\\\u0000"', '"\\\\\\ufffd"'],
  ['"\\ud83d\\ude00"', '"\\ud83d\\ude00"'],
  ['"\\ud83dx"', '"\\ufffdx"'],
  ['"\\ude00\\ud83d"', '"\\ufffd\\ufffd"'],
  ['"\\ud83d\\ud83d\\ude00"', '"\\ufffd\\ud83d\\ude00"'],
])('%s is stored as %s', (json, stored) => {
  expect(storableJson(json)).toBe(stored)
})

test('nothing else changes, whatever the text', () => {
  const unit = fc.oneof(
    fc.constantFrom('\0', '\\', 'u0000', '\ud83d', '\ude00', '"'),
    fc.string({ unit: 'binary' }),
  )
  fc.assert(
    fc.property(
      fc.array(unit).map((parts) => parts.join('')),
      (text) => {
        const stored = JSON.parse(storableJson(JSON.stringify(text)))
        expect(stored).toBe(text.toWellFormed().replaceAll('\0', '\ufffd'))
      },
    ),
  )
})
