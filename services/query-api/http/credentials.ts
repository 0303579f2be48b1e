/** What a request brings to prove who it is. */
export interface Credentials {
  readonly authorization: string | undefined
  /** The parameter `personal_api_key` of body or address, for clients that cannot set a header. */
  readonly bodyKey: string | null
  readonly queryKey: string | null
}

/** Header before body before address, as existing clients expect it. Null when nothing was sent. */
export function keyText({ authorization, bodyKey, queryKey }: Credentials): string | null {
  const bearer = /^Bearer +(\S+) *$/i.exec(authorization ?? '')
  return bearer ? (bearer[1] as string) : (bodyKey ?? queryKey)
}
