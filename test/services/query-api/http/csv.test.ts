import { parse } from 'csv-parse/sync'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { csvText } from '../../../../services/query-api/http/csv.ts'

const anyCell = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 20 }),
  fc.constantFrom('"', ',', '\r\n', '\n', '=1+1', '-5', '+x', '@a', '\t=1', '\u0000=1', '\uFF1D1', "'", '""'),
)

test('what is written raw is read back the same by another reader', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyCell, anyCell), { minLength: 1 }), (rows) => {
      const text = csvText(['a', 'b'], rows, 'raw')
      expect(parse(text, { record_delimiter: '\r\n', relax_column_count: false })).toEqual([
        ['a', 'b'],
        ...rows,
      ])
    }),
    { numRuns: 500 },
  )
})

test('for spreadsheets no cell begins like a formula, and nothing else is changed', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(anyCell), { minLength: 1 }), (rows) => {
      const read = parse(csvText(['a'], rows, 'spreadsheet'), { record_delimiter: '\r\n' }).slice(
        1,
      ) as string[][]
      for (const [index, [cell]] of read.entries()) {
        const original = rows[index]![0]
        expect(cell === original || cell === `'${original}`).toBe(true)
        expect(/^[\s\0]*[=+@\uFF1D]/.test(cell!)).toBe(false)
      }
    }),
  )
})

test('negative numbers stay numbers, null is empty', () => {
  expect(csvText(['a', 'b', 'c'], [['-12.5', null, -3]], 'spreadsheet')).toBe('a,b,c\r\n-12.5,,-3\r\n')
  expect(csvText(['a'], [['-12.5-1']], 'spreadsheet')).toBe("a\r\n'-12.5-1\r\n")
})
