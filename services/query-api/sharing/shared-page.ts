import { escaped, htmlPage } from '../http/html.ts'
import { type FigureOf, insightFigure } from './insight-figure.ts'
import type { SharedView } from './links.ts'
import { CHART_STYLE } from './svg-chart.ts'

/**
 * What a link opens, for people to read: one file, no script, nothing loaded from elsewhere.
 *
 * @param json address of the same as JSON, as it stands in the page
 */
export function sharedPage(view: SharedView, json: string): string {
  const { title, content } = contentOf(view)
  const foot = `<footer>${footOf(view)} <a href="${escaped(json)}">As JSON</a></footer>`
  return htmlPage(title, STYLE, `<h1>${escaped(title)}</h1>\n${content}\n${foot}`)
}

function contentOf(view: SharedView): { readonly title: string; readonly content: string } {
  switch (view.kind) {
    case 'dashboard': {
      const { name, description, tiles } = view.body
      const cards = inOrder(tiles).map(({ layouts, text, insight }) => {
        const inside = insight === null ? paragraph(text?.body ?? '') : insightCard(insight)
        return `<article${isWide(layouts) ? ' class="whole"' : ''}>${inside}</article>`
      })
      return {
        title: name === '' ? 'Dashboard' : name,
        content: `${paragraph(description)}<main>${cards.join('\n')}</main>`,
      }
    }
    case 'insight': {
      const { name, description } = view.body
      return {
        title: name === '' ? 'Insight' : name,
        content: `${paragraph(description)}<main><article class="whole">${insightFigure(view.body)}</article></main>`,
      }
    }
    case 'recording': {
      const { snapshots_url: snapshots, ...facts } = view.body
      const rows = Object.entries(facts).map(
        ([name, value]) =>
          `<tr><th>${escaped(name.replaceAll('_', ' '))}</th><td>${escaped(String(value ?? '–'))}</td></tr>`,
      )
      return {
        title: 'Recorded session',
        content: `<table>${rows.join('')}</table>
<p>A player of rrweb plays what lies, page by page, at <code>${escaped(snapshots)}</code>.</p>`,
      }
    }
  }
}

function insightCard(insight: FigureOf & { readonly description: string }): string {
  const name = insight.name === '' ? '' : `<h2>${escaped(insight.name)}</h2>`
  return `${name}${paragraph(insight.description)}${insightFigure(insight)}`
}

function paragraph(text: string): string {
  return text === '' ? '' : `<p class="text">${escaped(text)}</p>`
}

function footOf(view: SharedView): string {
  if (view.kind === 'recording') return ''
  const insights = view.kind === 'insight' ? [view.body] : view.body.tiles.map(({ insight }) => insight)
  const refreshed = insights.flatMap((insight) => insight?.last_refresh ?? []).sort()
  const computed = refreshed[0] === undefined ? '' : ` Computed at ${escaped(refreshed[0])} or later.`
  return `Days are those of ${escaped(view.body.timezone)}.${computed}`
}

interface Placed {
  readonly layouts: { readonly sm?: Partial<Record<'x' | 'y' | 'w', number>> }
}

/** As they stand on the dashboard, from above; those without a place last. */
function inOrder<T extends Placed>(tiles: readonly T[]): T[] {
  const last = Number.MAX_SAFE_INTEGER
  const place = ({ layouts: { sm } }: Placed) => [sm?.y ?? last, sm?.x ?? last] as const
  return tiles.toSorted((a, b) => {
    const [[aY, aX], [bY, bX]] = [place(a), place(b)]
    return aY - bY || aX - bX
  })
}

/** Of the twelve columns of a dashboard. */
const HALF = 6
const isWide = ({ sm }: Placed['layouts']) => (sm?.w ?? 0) > HALF

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 76rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430; background: #f6f8fa }
h1 { margin-bottom: .25rem }
h2 { font-size: 1.05rem; margin: 0 0 .5rem }
main { display: grid; grid-template-columns: repeat(2, minmax(0, 1fr)); gap: 1rem }
article { background: #fff; border: 1px solid #d5dbe3; border-radius: 8px; padding: 1rem; min-width: 0 }
.whole { grid-column: 1 / -1 }
.text { white-space: pre-wrap; overflow-wrap: anywhere; margin: 0 0 .75rem }
.number { font-size: 2.5rem; margin: .5rem 0 }
.none, footer { opacity: .7 }
footer { margin-top: 1.5rem; font-size: .875rem }
summary { cursor: pointer; font-size: .875rem }
.wide { overflow: auto; max-height: 24rem }
table { border-collapse: collapse; font-size: .875rem }
th, td { text-align: right; padding: .2rem .75rem .2rem 0; border-bottom: 1px solid #e6eaef; font-variant-numeric: tabular-nums }
th { text-align: left; font-weight: 500 }
@media (max-width: 50rem) { main { grid-template-columns: minmax(0, 1fr) } }
@media (prefers-color-scheme: dark) { body { color: #dfe5ee; background: #14181f } article { background: #1b212b } article, th, td { border-color: #333c4a } a { color: #8ab8ff } }
${CHART_STYLE}`
