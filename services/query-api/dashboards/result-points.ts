/** One number of a result, with what tells it apart. */
export interface Point {
  /** Line, breakdown value, or where an edge begins. */
  readonly series: string
  /** Day, step, period, or where an edge ends. */
  readonly point: string
  readonly value: number | null
}

/** Of a result, whatever insight it is of. */
export type Row = Readonly<Record<string, unknown>>

/**
 * The numbers of an insight's result, of whatever kind, one below the other: what spreadsheets can pivot. Average and
 * median times of funnel steps are not among them.
 */
export function pointsOf(result: unknown): Point[] {
  if (Array.isArray(result)) return result.flatMap(pointsOf)
  if (typeof result !== 'object' || result === null) return []
  const row = result as Row
  if (Array.isArray(row.columns) && Array.isArray(row.results)) return ofTable(row.columns, row.results)
  const series = seriesOf(row)
  if (typeof row.aggregated_value === 'number') return [{ series, point: '', value: row.aggregated_value }]
  if (Array.isArray(row.data)) return along(series, row.days ?? row.labels, row.data)
  if (Array.isArray(row.values)) {
    const values = row.values as readonly { readonly count: number }[]
    return values.map(({ count }, n) => ({ series, point: String(n), value: count }))
  }
  if ('source' in row && 'target' in row)
    return [{ series: String(row.source), point: String(row.target), value: numberOf(row.value) }]
  if (Array.isArray(row.bins)) {
    const times = TIMES.filter((name) => typeof row[name] === 'number')
    const bins = row.bins as readonly (readonly [number, number])[]
    return [
      ...times.map((name) => ({ series, point: name, value: numberOf(row[name]) })),
      ...bins.map(([from, count]) => ({ series, point: `from ${from} s`, value: count })),
    ]
  }
  if (typeof row.order === 'number' && typeof row.count === 'number')
    return [{ series, point: String(row.custom_name ?? row.name), value: row.count }]
  return []
}

/** Every number of a row under the name of its column; what else the row has tells it apart. */
function ofTable(columns: readonly string[], rows: readonly (readonly unknown[])[]): Point[] {
  return rows.flatMap((row) => {
    const others = row.filter((cell) => typeof cell !== 'number' && cell !== null)
    const series = others.map((cell) => (typeof cell === 'string' ? cell : JSON.stringify(cell))).join(', ')
    return row.flatMap((cell, at) =>
      typeof cell === 'number' ? [{ series, point: String(columns[at]), value: cell }] : [],
    )
  })
}

/** Of a result about times; seconds, but for the count. */
const TIMES = ['count', 'average', 'average_conversion_time', 'median', 'p90', 'min', 'max'] as const

/** What a row of a result is called; where two periods are compared, which of them it is of. */
export function seriesOf({ label, breakdown_value: value, compare_label: period }: Row): string {
  if (typeof label === 'string') return typeof period === 'string' ? `${label} - ${period}` : label
  if (value === undefined || value === null) return ''
  return Array.isArray(value) ? value.join(', ') : String(value)
}

function along(series: string, places: unknown, data: readonly unknown[]): Point[] {
  const names = Array.isArray(places) ? places : []
  return data.map((value, at) => ({ series, point: String(names[at] ?? at), value: numberOf(value) }))
}

function numberOf(value: unknown): number | null {
  return typeof value === 'number' ? value : null
}
