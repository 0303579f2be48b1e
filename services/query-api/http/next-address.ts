/** The call's own address with other parameters. A key in the address is not repeated. */
export function addressWith(own: URL, parameters: Readonly<Record<string, string | number>>): string {
  const url = new URL(own)
  for (const [name, value] of Object.entries(parameters)) url.searchParams.set(name, String(value))
  url.searchParams.delete('personal_api_key')
  return url.href
}

/** The call's own address with the cursor of the next page. */
export function nextAddress(own: URL, cursor: string): string {
  return addressWith(own, { cursor })
}
