/** An escape that PostgreSQL does not take, or may not. */
const SUSPICIOUS = /\\u(?:0000|[dD][89a-fA-F])/
/** Every escape, pairs of surrogates as one, so that a backslash that is escaped itself hides nothing. */
const ESCAPES = /\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\[^u]/g
const REFUSED = /^\\u(?:0000|[dD][89a-fA-F]..)$/

/**
 * JSON in which the characters that no text of PostgreSQL can hold, NUL and halves of surrogate pairs, are U+FFFD.
 *
 * @param json without raw control characters, as JSON has to be
 * @see https://www.postgresql.org/docs/current/datatype-json.html
 */
export function storableJson(json: string): string {
  if (!SUSPICIOUS.test(json)) return json
  return json.replace(ESCAPES, (text) => (REFUSED.test(text) ? '\\ufffd' : text))
}
