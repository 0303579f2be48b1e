import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { csvRecordCounter } from '../../../../services/cli/verify/csv-record-counter.ts'

test('it counts what an independent reader counts, however the bytes are cut', () => {
  const cell = fc.string({ unit: fc.constantFrom('a', '"', ',', '\n', '\r\n', 'é') })
  const quote = (value: string) => `"${value.replaceAll('"', '""')}"`
  fc.assert(
    fc.property(
      fc.array(fc.array(cell, { minLength: 2, maxLength: 2 }), { minLength: 1 }),
      fc.integer({ min: 1, max: 9 }),
      fc.boolean(),
      (rows, size, endsOpen) => {
        const text = rows.map((row) => row.map(quote).join(',')).join('\n') + (endsOpen ? '' : '\n')
        const bytes = Buffer.from(text)
        const counter = csvRecordCounter()
        for (let at = 0; at < bytes.length; at += size) counter.take(bytes.subarray(at, at + size))
        expect(counter.end()).toBe(parse(text).length)
      },
    ),
  )
})

test('a file that ends inside a value is no CSV', () => {
  const counter = csvRecordCounter()
  counter.take(Buffer.from('a,b\n1,"half'))
  expect(() => counter.end()).toThrow('inside a quoted value')
})
