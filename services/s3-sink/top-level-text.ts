/**
 * Finds a text member of a JSON object without parsing it: only members of the object itself count, not those of
 * objects inside. Meant for records that millrace wrote, whose member names are plain and whose times come early.
 *
 * @param json  bytes of one JSON object
 * @param name  the member's name without quotes, ASCII
 * @returns the text between its quotes; null when there is no such member, it is not text, it has escapes, or this
 *   is not an object
 */
export function topLevelText(json: Buffer, name: string): string | null {
  let at = skipSpace(json, 0)
  if (json[at] !== OPEN_BRACE) return null
  at++
  for (;;) {
    at = skipSpace(json, at)
    if (json[at] !== QUOTE) return null
    const keyEnd = stringEnd(json, at)
    const found = keyEnd - at - 1 === name.length && json.toString('latin1', at + 1, keyEnd) === name
    at = skipSpace(json, keyEnd + 1)
    if (json[at] !== COLON) return null
    at = skipSpace(json, at + 1)
    if (found) {
      if (json[at] !== QUOTE) return null
      const text = json.toString('utf8', at + 1, stringEnd(json, at))
      return text.includes('\\') ? null : text
    }
    at = skipSpace(json, valueEnd(json, at))
    if (json[at] !== COMMA) return null
    at++
  }
}

/** A top-level time in UTC; all that millrace writes have one width, so that text order is time order. */
export function isoTime(json: Buffer, name: string): string | null {
  const text = topLevelText(json, name)
  return text !== null && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text) ? text : null
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const COMMA = 0x2c
const COLON = 0x3a

function skipSpace(json: Buffer, at: number): number {
  while (json[at] === 0x20 || json[at] === 0x09 || json[at] === 0x0a || json[at] === 0x0d) at++
  return at
}

/** Index of the closing quote of the string that opens at `open`; the length when there is none. */
function stringEnd(json: Buffer, open: number): number {
  let at = open + 1
  while (at < json.length && json[at] !== QUOTE) at += json[at] === BACKSLASH ? 2 : 1
  return at
}

/** Index after the value that begins at `at`. */
function valueEnd(json: Buffer, at: number): number {
  if (json[at] === QUOTE) return stringEnd(json, at) + 1
  let depth = 0
  for (; at < json.length; at++) {
    const byte = json[at]
    if (byte === QUOTE) at = stringEnd(json, at)
    else if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) {
      if (depth === 0) return at
      depth--
      if (depth === 0) return at + 1
    } else if (byte === COMMA && depth === 0) return at
  }
  return at
}
