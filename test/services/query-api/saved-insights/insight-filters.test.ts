import { expect, test } from 'vitest'
import { underDashboard } from '../../../../services/query-api/saved-insights/insight-filters.ts'

const [mine, theirs] = [
  { key: 'a', value: '1' },
  { key: 'b', value: '2' },
]
const any = { type: 'OR', values: [theirs, mine] }

test.each([
  ['nothing of the dashboard changes nothing', { date_from: '-7d' }, {}, { date_from: '-7d' }],
  [
    'what is empty is nothing',
    { date_from: '-7d' },
    { date_from: null, properties: [] },
    { date_from: '-7d' },
  ],
  ['dates of the dashboard go before', { date_from: '-7d' }, { date_from: '-30d' }, { date_from: '-30d' }],
  [
    'both ends of a range belong together',
    { date_from: '2026-01-01', date_to: '2026-01-31', interval: 'day' },
    { date_from: '-30d' },
    { date_from: '-30d', interval: 'day' },
  ],
  ['properties of the dashboard alone', {}, { properties: [theirs] }, { properties: [theirs] }],
  [
    'properties of both have to hold',
    { properties: [mine] },
    { properties: any },
    { properties: { type: 'AND', values: [{ type: 'AND', values: [mine] }, any] } },
  ],
  [
    'properties that are kept as text are read',
    { properties: JSON.stringify([mine]) },
    { properties: [theirs] },
    {
      properties: {
        type: 'AND',
        values: [
          { type: 'AND', values: [mine] },
          { type: 'AND', values: [theirs] },
        ],
      },
    },
  ],
])('under a dashboard: %s', (_, own, dashboard, expected) => {
  expect(underDashboard(own, dashboard)).toEqual(expected)
})
