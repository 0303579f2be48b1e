import { describe, expect, test } from 'vitest'
import { checkRecord } from '../../../services/clickhouse-sink/row-check.ts'
import { createOpenBytes } from '../../../services/core/clickhouse/open-bytes.ts'
import { createRowBuffer } from '../../../services/core/clickhouse/row-buffer.ts'
import type { RecordBatch } from '../../../services/core/kafka/log.ts'

function check(value: string | null, headers: Record<string, string>, srcBefore = 4) {
  const batch = {
    partition: 3,
    value: () => (value === null ? null : Buffer.from(value)),
    header: (_: number, name: string) => headers[name] ?? null,
  } as unknown as RecordBatch
  return checkRecord(batch, 0, 1, srcBefore)
}
const good = { src: '3:5', schema: '1' }
const row = '{"a":1,"src_offset":5,"b":"ü"}'

describe('a record that is no row says why', () => {
  test.each<[string, string, Record<string, string>, RegExp]>([
    ['without source', row, { schema: '1' }, /no source/],
    ['with a source that is none', row, { ...good, src: '3:x' }, /no source/],
    ['of another raw partition', row, { ...good, src: '4:5' }, /raw partition 4/],
    ['whose source came before', '{"src_offset":4}', { ...good, src: '3:4' }, /came before/],
    ['of a newer shape', row, { ...good, schema: '2' }, /shape is 2/],
    ['without a shape', row, { src: '3:5' }, /not named/],
    ['that is no object', '[1]', good, /one JSON object/],
    ['that is empty', '', good, /one JSON object/],
    ['on two lines', '{"src_offset":5,\n"a":1}', good, /one line/],
    ['whose body names another source', '{"src_offset":55}', good, /src_offset/],
  ])('%s', (_, value, headers, reason) => {
    expect(check(value, headers)).toEqual({ kind: 'undecodable', reason: expect.stringMatching(reason) })
  })
})

test('ticks and tombstones are skipped', () => {
  expect(check('{"tick":true}', { tick: '1' })).toEqual({ kind: 'skipped' })
  expect(check(null, good)).toEqual({ kind: 'skipped' })
})

test('a row keeps its bytes', () => {
  expect(check(row, good)).toEqual({ kind: 'row', line: Buffer.from(row), srcOffset: 5 })
})

test('a row buffer gives every line back, all of them and some', () => {
  const rows = createRowBuffer()
  const lines = ['{"a":1}', '{"b":"ü"}', `{"c":"${'x'.repeat(200_000)}"}`, '{}']
  lines.forEach((line, n) => {
    rows.add(Buffer.from(line), n * 2, n + 10, n + 20)
  })
  expect(rows.bytes().toString()).toBe(`${lines.join('\n')}\n`)
  expect(rows.byteLength).toBe(rows.bytes().length)
  expect(rows.pick([0, 3]).toString()).toBe('{"a":1}\n{}\n')
  expect(rows.line(1).toString()).toBe(lines[1])
  expect([rows.rows, rows.srcOffset(3), rows.offset(3), rows.landedMs(3)]).toEqual([4, 6, 13, 23])
})

test('past 80 % of the bound the largest open batch closes, and it alone', () => {
  const open = createOpenBytes(100)
  const [small, large] = [open.open(), open.open()]
  small.grow(30)
  large.grow(50)
  expect([small.mustClose, large.mustClose]).toEqual([false, false])
  large.grow(1)
  expect([small.mustClose, large.mustClose]).toEqual([false, true])
  large.release()
  expect([small.mustClose, open.total()]).toEqual([false, 30])
})
