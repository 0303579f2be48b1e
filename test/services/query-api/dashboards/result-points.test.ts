import { expect, test } from 'vitest'
import { pointsOf } from '../../../../services/query-api/dashboards/result-points.ts'
import { INSIGHT_EXAMPLES } from '../../../../services/query-api/insights/insight-examples.ts'

const told = (result: unknown) =>
  pointsOf(result).map(({ series, point, value }) => `${series}|${point}|${value}`)

test.each([
  [
    'rows',
    {
      columns: ['event', 'n', 'share'],
      results: [
        ['a', 3, 0.5],
        [null, 1, null],
        [['b', 'c'], '9007199254740993', 2],
      ],
    },
    ['a|n|3', 'a|share|0.5', '|n|1', '["b","c"], 9007199254740993|share|2'],
  ],
  [
    'a trend',
    INSIGHT_EXAMPLES.trend.answer.result,
    ['page_view|2026-11-20|5', 'page_view|2026-11-21|5', 'page_view|2026-11-22|4'],
  ],
  [
    'one number, and that of the period before',
    ['current', 'previous'].map((period, at) => ({
      ...{ label: 'a', data: [], aggregated_value: 7 - at, compare: true, compare_label: period },
    })),
    ['a - current||7', 'a - previous||6'],
  ],
  ['one number', [{ label: 'a', count: 0, data: [], aggregated_value: 7 }], ['a||7']],
  ['a funnel', INSIGHT_EXAMPLES.funnel.answer.result, ['|product_view|310', '|purchase|118']],
  [
    'a funnel by a property',
    [[{ order: 0, name: 'a', custom_name: 'A', count: 3, breakdown_value: ['x', 'y'] }]],
    ['x, y|A|3'],
  ],
  ['a retention', INSIGHT_EXAMPLES.retention.answer.result, ['Week 0|0|40', 'Week 0|1|22', 'Week 1|0|31']],
  [
    'a stickiness',
    INSIGHT_EXAMPLES.stickiness.answer.result,
    ['page_view|1|20', 'page_view|2|11', 'page_view|3|8'],
  ],
  [
    'a lifecycle',
    INSIGHT_EXAMPLES.lifecycle.answer.result,
    [
      'page_view - dormant|2026-11-20|-2',
      'page_view - dormant|2026-11-21|-3',
      'page_view - dormant|2026-11-22|-4',
    ],
  ],
  ['paths', INSIGHT_EXAMPLES.path.answer.result, ['1_Home|2_Cart|61']],
  [
    'times',
    INSIGHT_EXAMPLES.timing.answer.result,
    [
      '|count|3',
      '|average|200',
      '|median|180',
      '|p90|276',
      '|min|120',
      '|max|300',
      '|from 120 s|2',
      '|from 210 s|1',
    ],
  ],
  ['nothing', null, []],
])('%s is told number by number', (_, result, points) => {
  expect(told(result)).toEqual(points)
})
