import type { JsonObject } from '../../../schemas/field.ts'

/**
 * The event of a raw record as it is written: what `JSON.parse` gave, in which a number that a double cannot hold
 * (2^53 + 1, twenty decimals) stands as the digits that were sent. For nearly all events that is the parsed event
 * itself.
 *
 * @param value  the raw record's bytes, JSON in UTF-8
 * @param parsed its member `event`
 */
export function withExactNumbers(value: Buffer, parsed: JsonObject): JsonObject {
  if (!hasWideNumbers(value)) return parsed
  const raw = JSON.parse(value.toString('utf8'), keepDigits) as { readonly event: JsonObject }
  return raw.event
}

/**
 * What `JSON.parse` gives, with the digits of numbers that a double cannot hold: writing it again says the same.
 *
 * @param json JSON in UTF-8
 * @throws SyntaxError as JSON.parse
 */
export function parseExactly(json: Buffer): unknown {
  const text = json.toString('utf8')
  return hasWideNumbers(json) ? JSON.parse(text, keepDigits) : JSON.parse(text)
}

declare global {
  // Of the language since 2025 (source text access), not yet in the es2024 library declarations.
  interface JSON {
    rawJSON(text: string): object
    isRawJSON(value: unknown): boolean
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

const QUOTE = 0x22
const BACKSLASH = 0x5c

/** Is there a number outside of texts that may not survive a double: 16 or more digits in a row, or an exponent? */
export function hasWideNumbers(json: Uint8Array): boolean {
  let digits = 0
  const length = json.length
  for (let i = 0; i < length; i++) {
    const byte = json[i]!
    if (byte >= 0x30 && byte <= 0x39) {
      if (++digits >= 16) return true
    } else if (byte === QUOTE) {
      digits = 0
      for (i++; i < length && json[i] !== QUOTE; i++) if (json[i] === BACKSLASH) i++
    } else if (byte === 0x2e) {
      // The point does not end a number.
    } else {
      // An exponent follows a digit; the e of true and false follows a letter.
      if ((byte | 0x20) === 0x65 && digits > 0) return true
      digits = 0
    }
  }
  return false
}

/** Does writing `value` give the number that `source` says? */
function sameNumber(source: string, value: number): boolean {
  return Number.isFinite(value) && normalised(source) === normalised(String(value))
}

/** A decimal as `<sign><digits without outer zeros>e<exponent of the last digit>`; zero is `0`, minus zero too. */
function normalised(decimal: string): string {
  const match = /^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(decimal)
  if (!match) return decimal
  const sign = match[1] as string
  const fraction = match[3] ?? ''
  const exponent = match[4] ?? '0'
  const digits = (match[2] as string) + fraction
  let start = 0
  let end = digits.length
  while (start < end && digits.charCodeAt(start) === 0x30) start++
  while (end > start && digits.charCodeAt(end - 1) === 0x30) end--
  if (start === end) return '0'
  // An exponent that long is no double's; it compares as text and never equals what a double prints.
  const last = exponent.length > 12 ? exponent : Number(exponent) - fraction.length + (digits.length - end)
  return `${sign}${digits.slice(start, end)}e${last}`
}
