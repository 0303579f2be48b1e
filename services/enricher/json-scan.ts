/** What one pass over JSON text finds out before it is parsed. */
export interface JsonScan {
  /** Deepest nesting of arrays and objects; a bare value is 0. */
  readonly depth: number
  /** A number literal that a double may not hold exactly: 16 or more digits, or an exponent. */
  readonly wideNumbers: boolean
  /** A `\uD8xx`–`\uDFxx` escape: text may hold an unpaired surrogate. */
  readonly surrogateEscapes: boolean
}

const QUOTE = 0x22
const BACKSLASH = 0x5c

/**
 * Looks at every byte once and allocates nothing. Text that is no JSON gives some answer; the parser refuses it later.
 *
 * @param json UTF-8
 */
export function scanJson(json: Uint8Array): JsonScan {
  let depth = 0
  let deepest = 0
  let digits = 0
  let wideNumbers = false
  let surrogateEscapes = false
  const length = json.length
  for (let i = 0; i < length; i++) {
    const byte = json[i]!
    if (byte >= 0x30 && byte <= 0x39) {
      if (++digits >= 16) wideNumbers = true
    } else if (byte === QUOTE) {
      digits = 0
      for (i++; i < length; i++) {
        const inner = json[i]!
        if (inner === QUOTE) break
        if (inner !== BACKSLASH) continue
        i++
        // \uD or \ud
        if (json[i] === 0x75 && (json[i + 1]! | 0x20) === 0x64) surrogateEscapes = true
      }
    } else if (byte === 0x7b || byte === 0x5b) {
      if (++depth > deepest) deepest = depth
    } else if (byte === 0x7d || byte === 0x5d) {
      depth--
      digits = 0
    } else if (byte === 0x65 || byte === 0x45) {
      // Also the e of true and false: those follow a letter, an exponent follows a digit.
      const before = json[i - 1]!
      if (before >= 0x30 && before <= 0x39) wideNumbers = true
    } else if (byte !== 0x2e) {
      // The point does not end a number.
      digits = 0
    }
  }
  return { depth: deepest, wideNumbers, surrogateEscapes }
}
