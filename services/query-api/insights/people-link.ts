import type { RawQuery } from '../http/request-parameters.ts'

/** Links of one answer at most; a larger one has none, and its points are asked for by hand. */
export const LINKS_MAX = 2_000

/** Makes the address that lists the people behind a number, from what tells the number apart. */
export type PeopleLink = (selectors: Readonly<Record<string, string>>) => string

const NOT_REPEATED = ['personal_api_key', 'format', 'csv_mode', 'limit', 'offset', 'refresh']

/**
 * @param url   address of the insight's own call
 * @param kind  the last part of the path of its people
 * @param query the insight's parameters, those of a body among them
 */
export function peopleLink(url: URL, kind: string, query: RawQuery): PeopleLink {
  const base = new URL(url)
  base.pathname = base.pathname.replace(/\/insights\/[^/]*(\/correlation[^/]*)?\/?$/, `/persons/${kind}`)
  base.search = ''
  for (const [name, value] of Object.entries(query))
    if (typeof value === 'string' && !NOT_REPEATED.includes(name)) base.searchParams.set(name, value)
  return (selectors) => {
    const link = new URL(base)
    for (const [name, value] of Object.entries(selectors)) link.searchParams.set(name, value)
    return link.href
  }
}

/** What tells the line of a breakdown value apart. */
export function lineSelectors(
  line: { readonly value: string; readonly isOther: boolean } | null,
): Record<string, string> {
  if (line === null) return {}
  return line.isOther ? { breakdown_other: 'true' } : { breakdown_value: line.value }
}
