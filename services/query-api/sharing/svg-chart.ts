import { escaped } from '../http/html.ts'

/** One line or one row of bars. */
export interface ChartSeries {
  readonly name: string
  /** By point; null where there is none. */
  readonly values: readonly (number | null)[]
}

/** Lines that a chart draws at most; a reader tells no more apart. */
export const CHART_SERIES_MAX = 10

const WIDTH = 640
const HEIGHT = 220
/** For the numbers beside and the names below. */
const MARGIN = { left: 56, right: 12, top: 10, bottom: 24 }
const PLOT = { width: WIDTH - MARGIN.left - MARGIN.right, height: HEIGHT - MARGIN.top - MARGIN.bottom }
const GRID_LINES = 4
/** Names of points below a chart at most, so that they do not lie over one another. */
const POINT_NAMES_MAX = 6

/** Classes `c0` to `c9`, which {@link CHART_STYLE} gives colours. */
const colour = (index: number) => `c${index % CHART_SERIES_MAX}`

const COLOURS = [
  '#1d6fe0',
  '#d9480f',
  '#2b8a3e',
  '#862e9c',
  '#c92a2a',
  '#0b7285',
  '#e67700',
  '#5c940d',
  '#a61e4d',
  '#495057',
]

export const CHART_STYLE = `
svg { display: block; width: 100%; height: auto }
svg text { font: 11px system-ui, sans-serif; fill: currentColor; opacity: .75 }
svg .grid { stroke: currentColor; opacity: .15 }
svg polyline { fill: none; stroke: var(--colour); stroke-width: 2; stroke-linejoin: round }
svg rect { fill: var(--colour) }
.legend { list-style: none; margin: .25rem 0; padding: 0 }
.legend li { display: inline-block; margin-right: 1rem }
.legend li::before { content: ''; display: inline-block; width: .7em; height: .7em; border-radius: 50%; margin-right: .4em; background: var(--colour) }
${COLOURS.map((value, index) => `.c${index} { --colour: ${value} }`).join('\n')}
`

/**
 * Lines over points, or bars side by side, as SVG with its legend: the first {@link CHART_SERIES_MAX} of them.
 *
 * @param title  what a reader who does not see it is told
 * @param points names, in order; two at least for lines
 */
export function svgChart(
  kind: 'lines' | 'bars',
  title: string,
  points: readonly string[],
  all: readonly ChartSeries[],
): string {
  const series = all.slice(0, CHART_SERIES_MAX)
  const scale = scaleOf(series.flatMap(({ values }) => values.filter((value) => value !== null)))
  const y = (value: number) => MARGIN.top + PLOT.height * ((scale.to - value) / (scale.to - scale.from))
  const marks = kind === 'lines' ? lines(series, points.length, y) : bars(series, points.length, y)
  const svg = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img"><title>${escaped(title)}</title>${grid(scale, y)}${names(kind, points)}${marks}</svg>`
  if (all.length === 1 && all[0]?.name === '') return svg
  const legend = series.map(({ name }, index) => `<li class="${colour(index)}">${escaped(name)}</li>`)
  const rest = all.length - series.length
  if (rest > 0) legend.push(`<li class="more">and ${rest} more, in the numbers below</li>`)
  return `${svg}<ul class="legend">${legend.join('')}</ul>`
}

interface Scale {
  readonly from: number
  readonly to: number
  readonly step: number
}

/** From nought, or below where there is something, to a round number that nothing is above. */
function scaleOf(values: readonly number[]): Scale {
  const [low, high] = [values.reduce((a, b) => Math.min(a, b), 0), values.reduce((a, b) => Math.max(a, b), 0)]
  const step = roundStep((high - low) / GRID_LINES)
  return { from: Math.floor(low / step) * step, to: Math.max(Math.ceil(high / step), 1) * step, step }
}

/** The next of 1, 2, 5, 10, 20, 50, … */
function roundStep(atLeast: number): number {
  if (!(atLeast > 0)) return 1
  const power = 10 ** Math.floor(Math.log10(atLeast))
  return ([1, 2, 5].find((digit) => digit * power >= atLeast) ?? 10) * power
}

function grid({ from, to, step }: Scale, y: (value: number) => number): string {
  const parts: string[] = []
  for (let n = 0; from + n * step <= to + step / 2; n++) {
    const value = from + n * step
    const at = y(value).toFixed(1)
    parts.push(
      `<line class="grid" x1="${MARGIN.left}" x2="${WIDTH - MARGIN.right}" y1="${at}" y2="${at}"/><text x="${MARGIN.left - 6}" y="${at}" dy="4" text-anchor="end">${shortNumber(value)}</text>`,
    )
  }
  return parts.join('')
}

const SHORT = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 2 })
const shortNumber = (value: number) => escaped(SHORT.format(value))

function names(kind: 'lines' | 'bars', points: readonly string[]): string {
  const every = Math.ceil(points.length / POINT_NAMES_MAX)
  return points
    .map((name, index) => {
      if (index % every !== 0) return ''
      const at = kind === 'lines' ? lineX(index, points.length) : barX(index + 0.5, points.length)
      return `<text x="${at.toFixed(1)}" y="${HEIGHT - 6}" text-anchor="middle">${escaped(cut(name))}</text>`
    })
    .join('')
}

/** Characters of a name below a chart. */
const NAME_LENGTH = 16
const cut = (name: string) => (name.length > NAME_LENGTH ? `${name.slice(0, NAME_LENGTH - 1)}…` : name)

const lineX = (index: number, count: number) => MARGIN.left + (PLOT.width * index) / Math.max(1, count - 1)
const barX = (index: number, count: number) => MARGIN.left + (PLOT.width * index) / count

/** A line is broken where a value is missing. */
function lines(series: readonly ChartSeries[], count: number, y: (value: number) => number): string {
  return series
    .map(({ values }, index) => {
      const pieces: string[][] = [[]]
      for (const [at, value] of values.entries())
        if (value === null) pieces.push([])
        else pieces.at(-1)?.push(`${lineX(at, count).toFixed(1)},${y(value).toFixed(1)}`)
      return pieces
        .filter((piece) => piece.length > 0)
        .map((piece) => `<polyline class="${colour(index)}" points="${piece.join(' ')}"/>`)
        .join('')
    })
    .join('')
}

function bars(series: readonly ChartSeries[], count: number, y: (value: number) => number): string {
  const width = (PLOT.width / count) * 0.8
  const own = width / series.length
  return series
    .map(({ values }, index) =>
      values
        .map((value, at) => {
          if (value === null) return ''
          const x = barX(at, count) + width / 8 + own * index
          const [top, bottom] = [Math.min(y(value), y(0)), Math.max(y(value), y(0))]
          return `<rect class="${colour(index)}" x="${x.toFixed(1)}" y="${top.toFixed(1)}" width="${own.toFixed(1)}" height="${(bottom - top).toFixed(1)}"/>`
        })
        .join(''),
    )
    .join('')
}
