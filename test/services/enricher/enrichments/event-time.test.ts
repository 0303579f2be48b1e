import { expect, test } from 'vitest'
import { eventTime } from '../../../../services/enricher/enrichments/event-time.ts'

const COLLECTED = Date.UTC(2026, 0, 31, 12)
const iso = (ms: number) => new Date(ms).toISOString()
const HOUR = 3_600_000

test.each([
  // What is sent, and what the event time is after the collector's, ms; correction; flag.
  ['nothing', null, null, null, 0, 0, null],
  ['a timestamp', iso(COLLECTED - 5_000), null, null, -5_000, 0, null],
  [
    'a timestamp of a clock an hour ahead',
    iso(COLLECTED + HOUR - 5_000),
    null,
    iso(COLLECTED + HOUR),
    -5_000,
    -HOUR,
    null,
  ],
  [
    'a timestamp of a clock two days ahead',
    iso(COLLECTED + 48 * HOUR),
    null,
    iso(COLLECTED + 48 * HOUR + 7),
    -7,
    -48 * HOUR - 7,
    null,
  ],
  [
    'a timestamp of a clock three hours slow',
    iso(COLLECTED - 3 * HOUR),
    null,
    iso(COLLECTED - 3 * HOUR),
    0,
    3 * HOUR,
    null,
  ],
  ['a number', COLLECTED - 1_000, null, null, -1_000, 0, null],
  ['digits', String(COLLECTED - 1_000), null, null, -1_000, 0, null],
  ['an unreadable sent_at', iso(COLLECTED - 5_000), null, 'soon', -5_000, 0, null],
  ['an offset', null, 1_500, null, -1_500, 0, null],
  ['23 hours ahead', iso(COLLECTED + 23 * HOUR), null, null, 23 * HOUR, 0, null],
  ['a millisecond more', iso(COLLECTED + 23 * HOUR + 1), null, null, 0, -23 * HOUR - 1, 'future'],
  [
    'the year 2106',
    '2106-02-07T06:28:16Z',
    null,
    null,
    0,
    COLLECTED - Date.UTC(2106, 1, 7, 6, 28, 16),
    'future',
  ],
  ['the year 9999', '9999-12-31T23:59:59Z', null, null, 0, 0, 'unreadable'],
  ['a negative offset of days', null, -48 * HOUR, null, 0, 0, 'future'],
  ['1970', '1970-01-01T00:00:00Z', null, null, -COLLECTED, 0, null],
  ['-1', -1, null, null, 0, COLLECTED + 1, 'unreadable'],
  ['no time', 'yesterday', null, null, 0, 0, 'unreadable'],
  ['NaN as text', 'NaN', null, null, 0, 0, 'unreadable'],
] as const)('with %s', (_what, timestamp, offset, sentAt, afterCollector, correctedMs, flag) => {
  expect(eventTime(timestamp, offset, sentAt, COLLECTED)).toEqual({
    eventTime: COLLECTED + afterCollector,
    correctedMs,
    flag,
  })
})
