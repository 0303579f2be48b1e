import { scanJson } from './json-scan.ts'

/**
 * Deepest JSON that is read. The collector stops far earlier; past a few thousand levels `JSON.stringify` throws,
 * so nothing that deep may get in by any other way.
 */
export const JSON_DEPTH_MAX = 128

/**
 * Parsed JSON, twice when once is not enough.
 *
 * `value` holds plain values, for checks and for reading. `faithful` is what is written: the same structure, in
 * which a number that a double cannot hold (2^53 + 1, 1e400) stands as the digits that were sent. For nearly all
 * input the two are one object.
 */
export interface ParsedJson {
  readonly value: unknown
  readonly faithful: unknown
}

/**
 * @param bytes valid UTF-8
 * @returns null for text that is not JSON or is nested deeper than {@link JSON_DEPTH_MAX}
 */
export function parseFaithfully(bytes: Buffer): ParsedJson | null {
  const scan = scanJson(bytes)
  if (scan.depth > JSON_DEPTH_MAX) return null
  let text = bytes.toString('utf8')
  if (scan.surrogateEscapes) text = repairSurrogates(text)
  try {
    const value: unknown = JSON.parse(text)
    return { value, faithful: scan.wideNumbers ? JSON.parse(text, keepDigits) : value }
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

declare global {
  // Of the language since 2025 (source text access), not yet in the es2024 library declarations.
  interface JSON {
    rawJSON(text: string): object
    parse(
      text: string,
      reviver: (this: unknown, key: string, value: unknown, context: { readonly source?: string }) => unknown,
    ): unknown
  }
}

function keepDigits(_key: string, value: unknown, context: { readonly source?: string }): unknown {
  if (typeof value !== 'number' || context.source === undefined) return value
  return sameNumber(context.source, value) ? value : JSON.rawJSON(context.source)
}

/** Does writing `value` give the number that `source` says, digit for digit once both are normalised? */
function sameNumber(source: string, value: number): boolean {
  return Number.isFinite(value) && normalised(source) === normalised(String(value))
}

/** A decimal as `<sign><digits without outer zeros>e<exponent of the last digit>`; zero is `0`, also minus zero. */
function normalised(decimal: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(decimal)
  if (!match) return decimal
  const [, sign, whole, fraction = '', exponent = '0'] = match as unknown as [string, string, string, string?, string?]
  const all = whole + fraction
  let start = 0
  let end = all.length
  while (start < end && all.charCodeAt(start) === 0x30) start++
  while (end > start && all.charCodeAt(end - 1) === 0x30) end--
  if (start === end) return '0'
  // BigInt, because an exponent may have any number of digits. Absurdly long ones compare as text.
  const last = exponent.length > 40 ? exponent : BigInt(exponent) - BigInt(fraction.length) + BigInt(all.length - end)
  return `${sign}${all.slice(start, end)}e${last}`
}

/**
 * Half of a surrogate pair cannot be written as UTF-8, and readers of files stumble over its escape. It comes from
 * text that was cut in the middle of an emoji. Each unpaired half becomes U+FFFD, as browsers do it.
 *
 * @param text JSON text; only its escapes are looked at
 */
export function repairSurrogates(text: string): string {
  return text.replace(
    /\\(?:u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})|u([dD][89a-fA-F][0-9a-fA-F]{2})|[\s\S])/g,
    (escape, high: string | undefined, _low, lone: string | undefined) =>
      high === undefined && lone !== undefined ? '\\ufffd' : escape,
  )
}
