/** The call's own address with the cursor of the next page. A key in the address is not repeated. */
export function nextAddress(own: URL, cursor: string): string {
  const url = new URL(own)
  url.searchParams.set('cursor', cursor)
  url.searchParams.delete('personal_api_key')
  return url.href
}
