import { type Point, pointsOf, type Row, seriesOf } from '../dashboards/result-points.ts'
import { escaped } from '../http/html.ts'
import { type ChartSeries, svgChart } from './svg-chart.ts'

/** What is shown of an insight. */
export interface FigureOf {
  readonly name: string
  /** Its kind. */
  readonly insight: string
  readonly display: string | null
  readonly result: unknown
}

/** Rows and columns of the numbers below a chart at most; all of them are in the JSON of the link. */
const ROWS_MAX = 200
const COLUMNS_MAX = 30

/** Kinds whose results are values along time, steps or days; others are told by their numbers alone. */
const DRAWN: ReadonlySet<string> = new Set(['TRENDS', 'FUNNELS', 'STICKINESS', 'LIFECYCLE'])
/** Points that bars stand at, at most: more of them are thinner than a line, and a page of megabytes. */
const BAR_POINTS_MAX = 200
/** Displays of trends that are bars. */
const BARS = /Bar/

/** The result of an insight as a chart, where its kind has one, and as numbers, in HTML. */
export function insightFigure(insight: FigureOf): string {
  const points = pointsOf(insight.result)
  if (points.length === 0) return '<p class="none">There is no result to show.</p>'
  const table = linesOf(insight.result) ?? pivot(points)
  const [only] = points
  if (points.length === 1 && only?.point === '')
    return `<p class="number">${numberText(only.value)}</p>${only.series === '' ? '' : `<p>${escaped(only.series)}</p>`}`
  // What is no list mixes counts with times.
  if (table === null || !DRAWN.has(insight.insight) || !Array.isArray(insight.result))
    return numbersTable(table, points)
  const { names, series } = table
  const numbers = `<details><summary>Numbers</summary>${numbersTable(table, points)}</details>`
  // Lines of single numbers are one row of bars: each has its own name.
  if (names.length === 1 && names[0] === '') {
    const lines = series.map(({ name }) => name)
    const bars = [{ name: '', values: series.map(({ values }) => values[0] ?? null) }]
    return svgChart('bars', insight.name, lines, bars) + numbers
  }
  return svgChart(isBars(insight, names) ? 'bars' : 'lines', insight.name, names, series) + numbers
}

function isBars({ insight, display, result }: FigureOf, names: readonly string[]): boolean {
  if (names.length > BAR_POINTS_MAX) return false
  if (insight === 'LIFECYCLE' || names.length < 2) return true
  if (insight === 'FUNNELS') return !isOverTime(result)
  return display !== null && BARS.test(display)
}

/** Trends of funnels have days, steps and bins of times have none. */
function isOverTime(result: unknown): boolean {
  return (
    Array.isArray(result) && result.some((row) => typeof row === 'object' && row !== null && 'days' in row)
  )
}

interface Pivot {
  /** Whether the numbers are read from above, point by point. */
  readonly isDown: boolean
  readonly names: readonly string[]
  readonly series: readonly ChartSeries[]
}

/** Lines as a result has them: two of the same name stay two, and compared periods lie over one another. */
function linesOf(result: unknown): Pivot | null {
  const rows = Array.isArray(result) ? (result as readonly Row[]) : []
  const [first] = rows
  if (first === undefined || !rows.every(isLine)) return null
  const places = rows.some(({ compare }) => compare === true) ? first.labels : first.days
  if (!Array.isArray(places) || rows.some(({ data }) => (data as unknown[]).length !== places.length))
    return null
  return {
    isDown: true,
    names: places.map(String),
    series: rows.map((row) => ({ name: seriesOf(row), values: row.data as (number | null)[] })),
  }
}

function isLine(row: Row): boolean {
  return Array.isArray(row.data) && row.data.length > 0 && row.aggregated_value === undefined
}

/** Every series by the same points; null where those of one hold the same point twice, or few have any in common. */
function pivot(points: readonly Point[]): Pivot | null {
  const bySeries = Map.groupBy(points, ({ series }) => series)
  const names = [...new Set(points.map(({ point }) => point))]
  if (names.length * bySeries.size > 2 * points.length) return null
  const series: ChartSeries[] = []
  for (const [name, own] of bySeries) {
    const values = new Map(own.map(({ point, value }) => [point, value]))
    if (values.size < own.length) return null
    series.push({ name, values: names.map((point) => values.get(point) ?? null) })
  }
  return { isDown: names.length > series.length, names, series }
}

/** Points down and series across, or the other way round; one below the other where they are many. */
function numbersTable(table: Pivot | null, points: readonly Point[]): string {
  if (table?.isDown === true && table.series.length <= COLUMNS_MAX)
    return tableOf(
      ['', ...table.series.map(({ name }) => name)],
      table.names.map((name, at) => [name, ...table.series.map(({ values }) => values[at] ?? null)]),
    )
  if (table !== null && table.names.length <= COLUMNS_MAX)
    return tableOf(
      ['', ...table.names],
      table.series.map(({ name, values }) => [name, ...values]),
    )
  return tableOf(
    ['', '', ''],
    points.map(({ series, point, value }) => [series, point, value]),
  )
}

function tableOf(header: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  const head = header.some((name) => name !== '')
    ? `<tr>${header.map((name) => `<th>${escaped(name)}</th>`).join('')}</tr>`
    : ''
  const lines = rows
    .slice(0, ROWS_MAX)
    .map(
      (row) =>
        `<tr>${row.map((cell) => (typeof cell === 'string' ? `<th>${escaped(cell)}</th>` : `<td>${numberText(cell)}</td>`)).join('')}</tr>`,
    )
  const rest = rows.length - lines.length
  const more = rest > 0 ? `<p class="none">${rest} more rows are in the JSON of this link.</p>` : ''
  return `<div class="wide"><table>${head}${lines.join('')}</table></div>${more}`
}

const NUMBERS = new Intl.NumberFormat('en', { maximumFractionDigits: 2 })

function numberText(value: number | null): string {
  return value === null ? '–' : escaped(NUMBERS.format(value))
}
