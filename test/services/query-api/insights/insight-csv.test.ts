import { parse } from 'csv-parse/sync'
import { expect, test } from 'vitest'
import {
  correlationTable,
  funnelTable,
  linesTable,
  pathTable,
  retentionTable,
  timingTable,
} from '../../../../services/query-api/insights/insight-csv.ts'
import { INSIGHT_EXAMPLES } from '../../../../services/query-api/insights/insight-examples.ts'
import { recordingEnvironment } from '../recording-environment.ts'

const step = (order: number, count: number, breakdown?: string) => ({
  action_id: `s${order}`,
  name: `s${order}`,
  custom_name: order === 0 ? '=Begin' : null,
  order,
  type: 'events' as const,
  count,
  average_conversion_time: order === 0 ? null : 1.5,
  median_conversion_time: order === 0 ? null : 1,
  ...(breakdown === undefined ? {} : { breakdown_value: breakdown }),
})

test('a funnel has a row per step, and with a breakdown per value and step', () => {
  expect(funnelTable([step(0, 9), step(1, 4)]).rows).toEqual([
    [null, 1, '=Begin', 9, null, null],
    [null, 2, 's1', 4, 1.5, 1],
  ])
  expect(funnelTable([[step(0, 9, 'a')], [step(0, 3, 'b')]]).rows.map(([value]) => value)).toEqual(['a', 'b'])
  expect(funnelTable([]).rows).toEqual([])
})

test('times of a funnel have a row per bin, its trends a column per interval', () => {
  const times = { bins: [[0, 2] as const, [60, 1] as const], average_conversion_time: 20 }
  expect(funnelTable(times).rows).toEqual([
    [null, 0, 2],
    [null, 60, 1],
  ])
  expect(funnelTable([{ ...times, breakdown_value: ['a', 'b'] }]).rows[0]).toEqual(['a::b', 0, 2])
  const line = {
    data: [50, 0],
    days: ['2026-11-20', '2026-11-21'],
    labels: ['20-Nov-2026', '21-Nov-2026'],
    count: 2,
    reached_from_step: [2, 0],
    reached_to_step: [1, 0],
  }
  expect(funnelTable([line])).toEqual({
    header: ['breakdown', '20-Nov-2026', '21-Nov-2026'],
    rows: [[null, 50, 0]],
  })
})

test('a triangle of retention is a rectangle with empty cells', () => {
  expect(retentionTable(INSIGHT_EXAMPLES.retention.answer.result)).toEqual({
    header: ['period', 'date', 'value_0', 'value_1'],
    rows: [
      ['Week 0', '2026-11-14T23:00:00.000Z', 40, 22],
      ['Week 1', '2026-11-21T23:00:00.000Z', 31, null],
    ],
  })
  expect(retentionTable([]).rows).toEqual([])
})

test('lines without points have one number each', () => {
  const one = { label: 'a', labels: [], data: [], aggregated_value: 7 }
  expect(linesTable([one])).toEqual({ header: ['series', 'value'], rows: [['a', 7]] })
  expect(linesTable(INSIGHT_EXAMPLES.stickiness.answer.result)).toEqual({
    header: ['series', '1 day', '2 days', '3 days'],
    rows: [['page_view', 20, 11, 8]],
  })
})

test('correlations, edges and times are rows as they are', () => {
  expect(correlationTable(INSIGHT_EXAMPLES['funnel/correlation'].answer.result).rows).toEqual([
    ['coupon_used', 40, 9, 9.5, 'success'],
  ])
  expect(pathTable(INSIGHT_EXAMPLES.path.answer.result).rows).toEqual([['1_Home', '2_Cart', 61, 42_000]])
  expect(timingTable(INSIGHT_EXAMPLES.timing.answer.result).rows).toEqual([
    [null, null, 3, 200, 180, 276, 120, 300],
    [null, '2026-11-20', 2, 150, 150, 174, null, null],
    [null, '2026-11-21', 0, null, null, null, null, null],
    [null, '2026-11-22', 1, 300, 300, 300, null, null],
  ])
})

test.each([
  'trend',
  'funnel',
  'funnel/correlation',
  'retention',
  'stickiness',
  'lifecycle',
  'path',
  'timing',
])(
  'the insight %s is a file by its suffix and by its format, and refuses what it does not know',
  async (kind) => {
    const { get } = recordingEnvironment(() => [])
    const query =
      kind === 'timing'
        ? 'from_entity=a&to_entity=b'
        : kind.startsWith('funnel') || kind === 'stickiness'
          ? `events=${encodeURIComponent('[{"id":"=a"},{"id":"b"}]')}`
          : ''
    const base = `/api/datasets/shop/insights/${kind}`
    const bySuffix = await get(`${base}.csv?${query}`)
    expect([bySuffix.statusCode, bySuffix.headers['content-type']]).toEqual([200, 'text/csv; charset=utf-8'])
    expect((await get(`${base}?${query}&format=csv`)).body).toBe(bySuffix.body)
    expect(parse(bySuffix.body, { record_delimiter: '\r\n' }).length).toBeGreaterThan(0)
    expect((await get(`${base}?${query}`)).headers['content-type']).toMatch(/^application\/json/)
    expect((await get(`${base}.csv?${query}&csv_mode=excel`)).json()).toMatchObject({ attr: 'csv_mode' })
  },
)
