import { expect, test } from 'vitest'
import { INSIGHT_EXAMPLES } from '../../../../services/query-api/insights/insight-examples.ts'
import { insightFigure } from '../../../../services/query-api/sharing/insight-figure.ts'
import type { SharedView } from '../../../../services/query-api/sharing/links.ts'
import { sharedPage } from '../../../../services/query-api/sharing/shared-page.ts'

const figure = (insight: string, result: unknown, display: string | null = null) =>
  insightFigure({ name: 'Numbers', insight, display, result })
const line = (label: string, data: readonly (number | null)[]) => ({
  label,
  data,
  days: data.map((_, n) => `2026-11-${20 + n}`),
})
/** Cells of the rows of a table, as they are read. */
const cells = (html: string) =>
  [...html.matchAll(/<tr>(.*?)<\/tr>/g)].map(([, row]) =>
    [...row!.matchAll(/<t[hd]>(.*?)<\/t[hd]>/g)].map(([, cell]) => cell).join('|'),
  )

test('a trend is a line through its values, from nought to a round number above them', () => {
  const html = figure('TRENDS', INSIGHT_EXAMPLES.trend.answer.result)
  // 5, 5 and 4 of 6, on a plot from 10 to 196.
  expect(html).toContain('<polyline class="c0" points="56.0,41.0 342.0,41.0 628.0,72.0"/>')
  expect([...html.matchAll(/text-anchor="end">([^<]*)</g)].map(([, text]) => text)).toEqual([
    '0',
    '2',
    '4',
    '6',
  ])
  expect(html).toContain('<title>Numbers</title>')
  expect(cells(html)).toEqual(['|page_view', '2026-11-20|5', '2026-11-21|5', '2026-11-22|4'])
})

test('two lines of one name stay two, and compared periods lie over one another', () => {
  const same = figure('TRENDS', [line('page_view', [3, 4]), line('page_view', [1, 2])])
  expect(cells(same)).toEqual(['|page_view|page_view', '2026-11-20|3|1', '2026-11-21|4|2'])
  const compared = (period: string, data: readonly number[], from: number) => ({
    ...{ label: 'page_view', compare: true, compare_label: period, data, labels: ['day 0', 'day 1'] },
    days: data.map((_, n) => `2026-11-${from + n}`),
  })
  const html = figure('TRENDS', [compared('current', [3, 4], 22), compared('previous', [1, 2], 20)])
  expect(html.match(/<polyline/g)).toHaveLength(2)
  expect(cells(html)).toEqual(['|page_view - current|page_view - previous', 'day 0|3|1', 'day 1|4|2'])
})

test('a line is broken where a value is missing', () => {
  const html = figure('TRENDS', [line('a', [1, null, 2, 2])])
  expect([...html.matchAll(/points="([^"]*)"/g)].map(([, points]) => points!.split(' ').length)).toEqual([
    1, 2,
  ])
  expect(cells(html)).toContain('2026-11-21|–')
})

test('bars are as tall as their values, below nought too', () => {
  const html = figure('LIFECYCLE', [line('back', [4, 2]), line('gone', [-4, 0])])
  const heights = [...html.matchAll(/<rect class="(c\d)"[^>]* y="([\d.]+)"[^>]* height="([\d.]+)"/g)]
  expect(heights.map(([, of, y, height]) => `${of} ${y} ${height}`)).toEqual([
    'c0 10.0 93.0',
    'c0 56.5 46.5',
    'c1 103.0 93.0',
    'c1 103.0 0.0',
  ])
})

test.each([
  ['FUNNELS', 'funnel', ['product_view|310', 'purchase|118'], 'rect'],
  ['STICKINESS', 'stickiness', ['|page_view', '1|20', '2|11', '3|8'], 'polyline'],
  ['RETENTION', 'retention', ['|0|1', 'Week 0|40|22', 'Week 1|31|–'], null],
  ['PATHS', 'path', ['|2_Cart', '1_Home|61'], null],
  ['TIMING', 'timing', ['count|3', 'average|200'], null],
] as const)('%s is told in numbers, and drawn where it goes along something', (kind, example, rows, mark) => {
  const html = figure(kind, INSIGHT_EXAMPLES[example].answer.result)
  expect(cells(html)).toEqual(expect.arrayContaining([...rows]))
  expect(/<(rect|polyline) class/.exec(html)?.[1] ?? null).toBe(mark)
})

test('one number stands alone, several are bars with their names', () => {
  const total = (label: string, value: number) => ({ label, data: [], aggregated_value: value })
  expect(figure('TRENDS', [total('buyers', 1_234_567)], 'BoldNumber')).toBe(
    '<p class="number">1,234,567</p><p>buyers</p>',
  )
  const html = figure('TRENDS', [total('a', 2), total('b', 1)], 'ActionsTable')
  expect(html.match(/<rect/g)).toHaveLength(2)
  expect(cells(html)).toEqual(['a|2', 'b|1'])
})

test('a trend shown in bars has bars', () => {
  const result = [line('a', [1, 2])]
  expect(figure('TRENDS', result, 'ActionsBar')).toContain('<rect')
  expect(figure('TRENDS', result, 'ActionsLineGraph')).not.toContain('<rect')
  const hours = [
    line(
      'a',
      Array.from({ length: 201 }, () => 1),
    ),
  ]
  expect(figure('TRENDS', hours, 'ActionsBar')).not.toContain('<rect')
})

test('no more is drawn than can be told apart, and no more rows than can be read', () => {
  const many = figure(
    'TRENDS',
    Array.from({ length: 25 }, (_, n) => line(`v${n}`, [n, n])),
  )
  expect(many.match(/<polyline/g)).toHaveLength(10)
  expect(many).toContain('and 15 more, in the numbers below')
  expect(many).toContain('<th>v24</th>')
  const edges = Array.from({ length: 250 }, (_, n) => ({ source: `1_${n}`, target: `2_${n}`, value: n }))
  const long = figure('PATHS', edges)
  expect(long.match(/<tr>/g)).toHaveLength(200)
  expect(long).toContain('50 more rows are in the JSON of this link.')
})

test('what has no result says so', () => {
  expect(figure('TRENDS', null)).toContain('There is no result')
  expect(figure('TRENDS', [])).toContain('There is no result')
})

const HOSTILE = `<i onload=x>"'&amp;</title></style><script>alert(1)</script>`

test('no text of anybody becomes a tag, wherever it stands', () => {
  const insight = {
    name: HOSTILE,
    description: HOSTILE,
    insight: 'TRENDS',
    display: HOSTILE,
    result: [line(HOSTILE, [1, 2]), { ...line(`${HOSTILE}2`, [1, 2]), days: [HOSTILE, `${HOSTILE}2`] }],
    last_refresh: HOSTILE,
  }
  const tile = { layouts: {}, color: HOSTILE }
  const views = [
    { kind: 'insight', body: { ...insight, timezone: HOSTILE } },
    { kind: 'insight', body: { ...insight, insight: 'PATHS', timezone: HOSTILE } },
    {
      kind: 'dashboard',
      body: {
        name: HOSTILE,
        description: HOSTILE,
        timezone: HOSTILE,
        tiles: [
          { ...tile, text: { body: HOSTILE }, insight: null },
          { ...tile, text: null, insight },
        ],
      },
    },
    { kind: 'recording', body: { start_url: HOSTILE, snapshots_url: HOSTILE } },
  ] as unknown as readonly SharedView[]
  for (const view of views) {
    const html = sharedPage(view, `${HOSTILE}.json`)
    expect(html).not.toMatch(/<i|<script/)
    expect(html.match(/<\/title>/g)!.length - (html.match(/<title>/g)?.length ?? 0)).toBe(0)
    expect(html.match(/<\/style>/g)).toHaveLength(1)
    expect(html).toContain('&#60;script&#62;')
    // Every attribute has the quotes that it began with.
    for (const [tag] of html.matchAll(/<[a-z][^>]*>/g))
      expect(tag.replaceAll(/"[^"]*"/g, '')).not.toMatch(/["']/)
  }
})

test('tiles stand as on the dashboard, from above', () => {
  const text = (body: string, sm?: { x: number; y: number; w: number; h: number }) => ({
    layouts: sm === undefined ? {} : { sm },
    color: null,
    text: { body },
    insight: null,
  })
  const html = sharedPage(
    {
      kind: 'dashboard',
      body: {
        name: 'Sales',
        description: '',
        timezone: 'UTC',
        tiles: [
          text('last'),
          text('below', { x: 0, y: 5, w: 12, h: 5 }),
          text('right', { x: 6, y: 0, w: 6, h: 5 }),
          text('left', { x: 0, y: 0, w: 6, h: 5 }),
        ],
      },
    },
    'x.json',
  )
  expect(
    [...html.matchAll(/<article(.*?)><p class="text">(.*?)</g)].map(([, whole, body]) => body! + whole),
  ).toEqual(['left', 'right', 'below class="whole"', 'last'])
  expect(html).toContain('<a href="x.json">As JSON</a>')
})
