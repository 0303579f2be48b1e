import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  type RejectedRow,
  rejectedLine,
  rejectedSql,
  rejectedText,
} from '../../../../services/cli/rejected/rejected-query.ts'

const row: RejectedRow = {
  collector_time: '2026-11-22T12:00:00.000Z',
  dataset_id: 'shop',
  event_id: 'e1',
  event: null,
  distinct_id: null,
  stage: 'collector',
  code: 'missing_field',
  details: ['event is missing.', 'and more'],
  payload: '{"a":"\u001b[2J"}',
  payload_bytes: 900,
  protocol: 'native',
  src_partition: 1,
  src_offset: 2,
}

test('no value is ever part of the statement', () => {
  fc.assert(
    fc.property(fc.string(), fc.string(), fc.string(), (dataset, code, eventId) => {
      const { sql, parameters } = rejectedSql({ dataset, code, eventId, sinceMs: 5, limit: 7 })
      expect(sql).toBe(rejectedSql({ dataset: 'd', code: 'c', eventId: 'e', sinceMs: 1, limit: 1 }).sql)
      expect(parameters).toEqual({ dataset, code, event_id: eventId, since: 5, limit: 7 })
    }),
  )
})

test('a terminal never gets the control characters that a client sent', () => {
  for (const text of [
    rejectedLine({ ...row, event: '\u001b]0;x\u0007', event_id: 'a\r\nb' }),
    rejectedText(row),
  ])
    expect(text.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u)
})

test('everything about an event is shown, and that its payload was cut', () => {
  expect(rejectedText(row)).toBe(
    'event_id   e1\ndataset    shop\nreceived   2026-11-22T12:00:00.000Z (native)\n' +
      'refused    by the collector: missing_field\n           event is missing.\n           and more\n' +
      'raw        partition 1, offset 2\npayload    900 bytes, cut\n{"a":"\\u001b[2J"}\n',
  )
})
