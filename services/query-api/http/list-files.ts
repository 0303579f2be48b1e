import { type TObject, Type } from '@sinclair/typebox'
import { csvCell, csvLine, csvText } from './csv.ts'
import { csvAnswer } from './csv-answer.ts'
import { FILE_PARAMETERS, readFileChoice } from './file-parameters.ts'
import { addressWith } from './next-address.ts'
import { type Format, leavingOut, type RawQuery, textParameter } from './request-parameters.ts'
import { type Answer, DATASET_PATH, type DatasetCall, type DatasetRoute, type Route } from './route.ts'
import { streamAnswer } from './stream-answer.ts'

/** An entry of a list, as JSON has it. */
type Entry = Readonly<Record<string, unknown>>

/** How the answer of a list is read page by page, and what becomes of an entry in a CSV file. */
export interface ListPages {
  /** Names of the columns of a file: members of what `flat` gives. */
  readonly columns: readonly string[]
  /** An entry as a row of a file; as it is when left out. */
  flat?(entry: Entry): Entry
  /** The entries of one answer. */
  entries(body: unknown): readonly Entry[]
  /** The parameters that lead to the page after an answer to `asked`; null for the last one. */
  next(body: unknown, asked: RawQuery): Readonly<Record<string, string>> | null
}

/** Parameters that say where a page begins. */
const PLACES = ['offset', 'cursor'] as const

/** Reads the envelope `{next, results}`, whose `next` is the address of the page after it, or null. */
export function resultPages(columns: readonly string[]): ListPages {
  return {
    columns,
    entries: (body) => (body as { readonly results: readonly Entry[] }).results,
    next: nextPlace,
  }
}

/** Where the address goes on that an answer has as `next`. */
export function nextPlace(body: unknown): Readonly<Record<string, string>> | null {
  const { next } = body as { readonly next: string | null }
  if (next === null) return null
  const { searchParams } = new URL(next)
  return Object.fromEntries(
    PLACES.flatMap((place) => {
      const at = searchParams.get(place)
      return at === null ? [] : [[place, at]]
    }),
  )
}

/**
 * Gives every list about a dataset its files: `format=csv`, the suffix `.csv`, and `limit=all`, which follows its pages to
 * the end. A list is a GET that declares `limit` and either the envelope `{next, results}` or how its pages are read; one
 * that declares `format` makes its files itself.
 */
export function withFiles(routes: readonly Route[]): Route[] {
  return routes.flatMap((route) => {
    const pages = route.about === 'dataset' && route.method === 'GET' ? pagesOf(route) : null
    return pages === null ? [route] : fileRoutes(route as DatasetRoute, pages)
  })
}

function pagesOf({ parameters, pages, success }: DatasetRoute): ListPages | null {
  if (parameters?.limit === undefined || parameters.format !== undefined) return null
  if (pages !== undefined) return pages
  const { next, results } = (success.schema as Partial<TObject> | undefined)?.properties ?? {}
  if (next === undefined) return null
  const columns = Object.keys(results?.items?.properties ?? {})
  return columns.length === 0 ? null : resultPages(columns)
}

function fileRoutes(route: DatasetRoute, pages: ListPages): DatasetRoute[] {
  const { columns, flat = (entry: Entry) => entry, entries, next } = pages
  const limit = route.parameters?.limit as NonNullable<DatasetRoute['parameters']>[string]
  const pageMax = String(limit.schema.maximum)
  const ownName = route.path
    .slice(DATASET_PATH.length + 1)
    .split('/')
    .filter((part) => !part.startsWith(':'))
    .join('-')
  const cells = (entry: Entry) => {
    const row = flat(entry)
    return columns.map((column) => csvCell(row[column]))
  }

  /** From where `query` begins to the end; a page is asked for when the one before was taken. */
  async function* everything(call: DatasetCall, query: RawQuery): AsyncGenerator<Entry> {
    let asked: RawQuery = { ...query, limit: pageMax }
    for (;;) {
      const { body } = await route.answer({ ...call, query: asked })
      yield* entries(body)
      const place = next(body, asked)
      if (place === null) return
      asked = { ...asked, ...place }
    }
  }

  async function answer(call: DatasetCall, given?: Format): Promise<Answer> {
    const { format, csvMode } = readFileChoice(call.query, given)
    const query = leavingOut(call.query, Object.keys(FILE_PARAMETERS))
    const count = textParameter(query, 'limit')
    const name = `${call.question.dataset.id}-${ownName}`
    if (count === 'all' || (count === null && format === 'csv'))
      return streamAnswer(name, { header: columns, rows: everything(call, query), cells }, format, csvMode)
    const page = await route.answer({ ...call, query })
    if (format === 'json') return page
    const place = next(page.body, query)
    const link = place === null ? {} : { link: `<${addressWith(call.url, place)}>; rel="next"` }
    return csvAnswer(`${name}.csv`, csvText(columns, entries(page.body).map(cells), csvMode), link)
  }

  const parameters = {
    ...route.parameters,
    limit: {
      description: `${limit.description} \`all\` for everything in one answer, as files have it when nothing is said.`,
      schema: Type.Union([limit.schema, Type.Literal('all')], { default: limit.schema.default }),
    },
    ...FILE_PARAMETERS,
  }
  return [
    { ...route, parameters, answer: (call) => answer(call) },
    {
      ...route,
      path: `${route.path}.csv`,
      summary: `${route.summary} As a CSV file.`,
      parameters,
      success: { status: 200, description: 'Whole, unless `limit` says how much.', mediaType: 'text/csv' },
      example: { ...route.example, answer: csvLine(columns, 'raw') },
      answer: (call) => answer(call, 'csv'),
    },
  ]
}
