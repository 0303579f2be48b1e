/** Properties that name somebody, the best first. */
export const NAME_PROPERTIES = ['email', 'name', 'username'] as const

/** Four hyphens between runs of letters and digits: what libraries draw for somebody they do not know. */
const DRAWN_ID = /^(?:[0-9a-z]+-){4}[0-9a-z]+$/i

/**
 * What to call a person: the first of email, name and username that is text, however it is capitalised; else the
 * first of its distinct ids that nobody drew at random; else the first of all.
 *
 * @param distinctIds at least one
 */
export function personName(
  properties: Readonly<Record<string, unknown>>,
  distinctIds: readonly string[],
): string {
  for (const name of NAME_PROPERTIES)
    for (const [key, value] of Object.entries(properties))
      if (key.toLowerCase() === name && typeof value === 'string' && value !== '') return value
  return distinctIds.find((id) => !DRAWN_ID.test(id)) ?? (distinctIds[0] as string)
}
