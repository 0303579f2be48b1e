/** The query of an address, with its question mark: text as it is, everything else as JSON. */
export function queryText(parameters: Readonly<Record<string, unknown>>): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters))
    search.set(name, typeof value === 'string' ? value : JSON.stringify(value))
  return `?${search}`
}
