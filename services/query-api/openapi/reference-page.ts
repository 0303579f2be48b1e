import { escaped, htmlPage } from '../http/html.ts'
import type { Route } from '../http/route.ts'
import { curlOf } from './example-call.ts'

/** The routes as a page to browse: one file, no script, nothing loaded from elsewhere. */
export function referencePage(routes: readonly Route[]): string {
  const families = Map.groupBy(routes, ({ tag }) => tag)
  const contents = [...families.keys()].map((tag) => `<a href="#${escaped(tag)}">${escaped(tag)}</a>`)
  const sections = [...families].map(
    ([tag, members]) =>
      `<section id="${escaped(tag)}"><h2>${escaped(tag)}</h2>${members.map(routeText).join('\n')}</section>`,
  )
  return htmlPage(
    'Millrace analytics API',
    STYLE,
    `<h1>Millrace analytics API</h1>
<p>The same as <a href="/api/openapi.json">OpenAPI 3.1</a>. In the examples <code>$API</code> is the address of this server
and <code>$KEY</code> a key with the scope that the route names.</p>
<nav>${contents.join(' ')}</nav>
${sections.join('\n')}`,
  )
}

const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2430; background: #fff }
nav a { margin-right: 1rem }
details { border: 1px solid #d5dbe3; border-radius: 6px; margin: .5rem 0; padding: .5rem .75rem }
summary { cursor: pointer }
summary b { display: inline-block; min-width: 4.5rem; font-family: ui-monospace, monospace }
summary code { font-weight: 600; overflow-wrap: anywhere }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #e6eaef }
pre { background: #f4f6f9; padding: .75rem; border-radius: 6px; overflow-x: auto }
@media (prefers-color-scheme: dark) { body { color: #dfe5ee; background: #14181f } pre { background: #1e242e } details, th, td { border-color: #333c4a } a { color: #8ab8ff } }
`

function routeText(route: Route): string {
  const { method, path, summary, parameters = {}, body, success, example } = route
  const needs =
    route.about === 'everybody'
      ? 'Needs no key.'
      : `Needs the scope <code>${route.access.object}:${route.access.action}</code>.`
  const rows = Object.entries(parameters).map(
    ([name, { description }]) =>
      `<tr><td><code>${escaped(name)}</code></td><td>${escaped(description)}</td></tr>`,
  )
  const parts = [
    `<p>${needs}</p>`,
    rows.length === 0 ? '' : `<table><tr><th>Parameter</th><th>Meaning</th></tr>${rows.join('')}</table>`,
    body === undefined ? '' : `<p>Body:</p>${block(JSON.stringify(body, null, 2))}`,
    `<p>Example:</p>${block(curlOf(route))}`,
    `<p>${success.status}: ${escaped(success.description)}</p>`,
    example.answer === undefined ? '' : block(answerText(example.answer)),
  ]
  return `<details><summary><b>${method}</b> <code>${escaped(path)}</code> ${escaped(summary)}</summary>${parts.join('')}</details>`
}

function answerText(answer: unknown): string {
  return typeof answer === 'string' ? answer : JSON.stringify(answer, null, 2)
}

function block(text: string): string {
  return `<pre><code>${escaped(text)}</code></pre>`
}
