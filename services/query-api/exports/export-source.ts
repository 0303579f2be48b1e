import { invalidInput, notFound } from '../http/api-error.ts'
import type { Access } from '../http/authorize.ts'
import { type Format, leavingOut, type RawQuery } from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetRoute, type Route } from '../http/route.ts'
import { textsOf } from '../insights/posted-parameters.ts'
import type { ExportBody } from './export-body.ts'

/** Which question an export answers, as it is kept. */
export interface ExportSource {
  /** Below the dataset, without a suffix. */
  readonly path: string
  readonly query: RawQuery
  /** Where links of the answer lead; left out by versions before. */
  readonly origin?: string
}

/** The route that answers a source, with what its path names. */
export interface FoundSource {
  readonly source: ExportSource
  readonly route: DatasetRoute
  readonly params: Readonly<Record<string, string>>
}

/**
 * Everything that an export can be made of: every GET about a dataset that declares `format`. A family whose list or
 * object is to be exported declares the file parameters and is in here; `insight` and `dashboard` of a body stand for
 * `insights/:id` and `dashboards/:id`.
 */
export interface ExportSources {
  /**
   * @param origin where links in the file lead
   * @throws ApiError 400 for what cannot be exported, 404 for another dataset
   */
  read(dataset: string, body: ExportBody, origin: string): FoundSource
  /** Of one that was read before; null when this version cannot do it. */
  find(source: ExportSource): FoundSource | null
}

export function createExportSources(routes: readonly Route[]): ExportSources {
  const asked = routes.filter(
    (route): route is DatasetRoute => route.about === 'dataset' && route.method === 'GET',
  )
  const isExportable = ({ path, parameters }: DatasetRoute) =>
    parameters?.format !== undefined && !path.endsWith('.csv')

  /** The route that would answer it: one that has a part of the path as it stands, before one that takes any text there. */
  function find(source: ExportSource): FoundSource | null {
    let found: FoundSource | null = null
    for (const route of asked) {
      const params = matched(route.path.slice(DATASET_PATH.length + 1), source.path)
      if (params === null) continue
      if (found === null || Object.keys(params).length < Object.keys(found.params).length)
        found = { source, route, params }
    }
    return found !== null && isExportable(found.route) ? found : null
  }

  return {
    find,
    read(dataset, { insight, dashboard, export_context: context }, origin) {
      if ([insight, dashboard, context].filter((given) => given !== undefined).length !== 1)
        throw invalidInput('export_context', 'Say one of insight, dashboard and export_context.')
      const saved = insight === undefined ? `dashboards/${dashboard}` : `insights/${insight}`
      const source =
        context === undefined ? { path: saved, query: {}, origin } : readContext(dataset, context, origin)
      const found = find(source)
      if (found !== null) return found
      const paths = asked.filter(isExportable).map(({ path }) => path.slice(DATASET_PATH.length + 1))
      throw invalidInput('export_context__path', `This cannot be exported. What can be: ${paths.join(', ')}.`)
    },
  }
}

/**
 * Parameters of an address that a file is not made with: it is whole, has a format of its own, waits for its results, is
 * cancelled as an export, and is made in the name of whoever asked for it.
 */
const NOT_OF_FILES: readonly string[] = ['format', 'limit', 'refresh', 'client_query_id', 'personal_api_key']

/** `{path, body}`; the path as it stands in an address, from the host on or below the dataset. */
function readContext(
  dataset: string,
  { path, body }: NonNullable<ExportBody['export_context']>,
  origin: string,
): ExportSource {
  const url = URL.parse(path, `http://host${DATASET_PATH.replace(':dataset', dataset)}/`)
  const own = `/api/datasets/${dataset}/`
  if (url === null) throw invalidInput('export_context__path', 'This is no path.')
  if (!url.pathname.startsWith(own)) throw notFound()
  const given = {
    ...Object.fromEntries(url.searchParams),
    ...(body === undefined ? {} : textsOf(body)),
  }
  const query = leavingOut(given, NOT_OF_FILES)
  return { path: url.pathname.slice(own.length).replace(/(\.csv)?\/?$/, ''), query, origin }
}

/** What a source is asked with: whole, where that can be said, and in the format of the export. */
export function queryOf({ source, route }: FoundSource, format: Format): RawQuery {
  const takesAll = route.parameters?.limit?.schema.anyOf !== undefined
  return { ...source.query, format, ...(takesAll ? { limit: 'all' } : {}) }
}

export function accessOf({ route }: FoundSource): Access {
  return route.access
}

/** Parameters of a path as its declaration has them; null when it is another one. */
function matched(declared: string, path: string): Record<string, string> | null {
  const [wanted, given] = [declared.split('/'), path.split('/')]
  if (wanted.length !== given.length) return null
  const params: Record<string, string> = {}
  for (const [at, part] of wanted.entries()) {
    const text = given[at] as string
    if (!part.startsWith(':')) {
      if (part !== text) return null
      continue
    }
    const value = unescaped(text)
    if (value === null) return null
    params[part.slice(1)] = value
  }
  return params
}

/** A part of a path as text; null for a malformed escape, which no path has. */
function unescaped(part: string): string | null {
  try {
    return decodeURIComponent(part)
  } catch {
    return null
  }
}
