import type { RejectionCode } from '../../../schemas/rejected-event/v1.ts'

/** Bounds on one JSON value. All are inclusive: a value that has exactly so much passes. */
export interface JsonLimits {
  /** Levels of nesting; `{}` has one, `1` none. At most {@link DEPTH_CEILING}. */
  readonly depthMax: number
  readonly keysPerObjectMax: number
  /** Keys of all objects in the value together. */
  readonly keysMax: number
  /** Bytes between the quotes of one text or key, as they stand in the JSON (an escape counts as it is written). */
  readonly textBytesMax: number
}

/** JSON.stringify recurses and fails near 5,000 levels; no setting may let events come close to that. */
export const DEPTH_CEILING = 512

export interface JsonScan {
  /** Offset after the value; the end of the input when the value does not end. */
  readonly end: number
  /** The first fault met, but `too_deep` before any other; null when there is none. */
  readonly fault: JsonFault | null
}

export interface JsonFault {
  readonly code: RejectionCode
  readonly detail: string
}

const QUOTE = 0x22
const BACKSLASH = 0x5c
const COLON = 0x3a
const MINUS = 0x2d
const OPEN_BRACE = 0x7b
const CLOSE_BRACE = 0x7d
const OPEN_BRACKET = 0x5b
const CLOSE_BRACKET = 0x5d
const COMMA = 0x2c

const keysAtDepth = new Int32Array(DEPTH_CEILING + 1)

/**
 * Walks over one JSON value without building it: finds its end and checks the limits, in one pass over the bytes and
 * in constant memory, whatever the nesting. So it runs before JSON.parse, which happily builds 5,000,000 nested
 * arrays that nothing can serialise again.
 *
 * It does not check the grammar. On JSON that JSON.parse takes its answers are exact; on anything else it stops
 * somewhere at or before `to`, and JSON.parse refuses the text.
 *
 * Beyond the limits it refuses what has no equal value downstream: numbers that overflow a double (they would come
 * out as null) and `\u` escapes of lone surrogates (no valid UTF-8 can hold them).
 *
 * @param from offset of the value's first byte, or of white space before it
 * @param to   end of the input, exclusive
 */
export function scanJson(bytes: Buffer, from: number, to: number, limits: JsonLimits): JsonScan {
  const { depthMax, keysPerObjectMax, keysMax, textBytesMax } = limits
  let fault: JsonFault | null = null
  let depth = 0
  let keys = 0
  let i = from
  while (i < to) {
    const c = bytes[i]!
    if (c === QUOTE) {
      const start = ++i
      let escapes = false
      while (i < to && bytes[i] !== QUOTE) {
        if (bytes[i] === BACKSLASH) {
          escapes = true
          i++
        }
        i++
      }
      if (i > to) i = to
      if (fault === null) {
        if (i - start > textBytesMax)
          fault = {
            code: 'text_too_long',
            detail: `The text at byte ${start - from} of the event has ${i - start} bytes; at most ${textBytesMax} are taken.`,
          }
        else if (escapes && hasLoneSurrogate(bytes, start, i))
          fault = {
            code: 'invalid_utf8',
            detail: `The text at byte ${start - from} of the event has an escape of half a surrogate pair, which is no character.`,
          }
      }
      i++
      if (depth === 0) return { end: Math.min(i, to), fault }
    } else if (c === COLON) {
      i++
      keys++
      const inObject = depth <= depthMax ? ++keysAtDepth[depth]! : 0
      if (fault === null && (keys > keysMax || inObject > keysPerObjectMax))
        fault = {
          code: 'too_many_keys',
          detail:
            keys > keysMax
              ? `The event has more than ${keysMax} keys.`
              : `An object of the event has more than ${keysPerObjectMax} keys.`,
        }
    } else if (c === OPEN_BRACE || c === OPEN_BRACKET) {
      i++
      depth++
      if (depth <= depthMax) keysAtDepth[depth] = 0
      else if (fault?.code !== 'too_deep')
        fault = { code: 'too_deep', detail: `The event is nested deeper than ${depthMax} levels.` }
    } else if (c === CLOSE_BRACE || c === CLOSE_BRACKET) {
      i++
      depth--
      if (depth <= 0) return { end: i, fault }
    } else if (c === MINUS || isDigit(c)) {
      const start = i
      let long = false
      while (i < to && isNumberByte(bytes[i]!)) {
        // Only an exponent, or more digits than the largest double has, can overflow.
        if ((bytes[i]! | 0x20) === 0x65) long = true
        i++
      }
      if (fault === null && (long || i - start > 300) && !isFiniteNumber(bytes, start, i))
        fault = {
          code: 'invalid_value',
          detail: `The number at byte ${start - from} of the event is too large for a double.`,
        }
      if (depth === 0) return { end: i, fault }
    } else if (depth === 0 && !isSpace(c)) {
      // A literal, or something that is no JSON: up to whatever ends an element.
      while (i < to && !endsElement(bytes[i]!)) i++
      return { end: i === from ? i + 1 : i, fault }
    } else {
      i++
    }
  }
  return { end: to, fault }
}

/** Where the elements of an array lie: `[start, end)` of each, and the offset after the closing bracket. */
export interface ElementScan {
  readonly elements: readonly JsonElement[]
  readonly end: number
}

export interface JsonElement extends JsonScan {
  readonly start: number
}

/**
 * The elements of the array whose opening bracket lies at `from`, each scanned on its own.
 *
 * @param elementsMax stops after one more than this many: the caller refuses the whole
 */
export function scanElements(
  bytes: Buffer,
  from: number,
  to: number,
  limits: JsonLimits,
  elementsMax: number,
): ElementScan {
  const elements: JsonElement[] = []
  let i = from + 1
  while (i < to) {
    const c = bytes[i]!
    if (c === COMMA || isSpace(c)) {
      i++
      continue
    }
    if (c === CLOSE_BRACKET) return { elements, end: i + 1 }
    if (elements.length > elementsMax) break
    const { end, fault } = scanJson(bytes, i, to, limits)
    elements.push({ start: i, end, fault })
    i = end
  }
  return { elements, end: i }
}

/**
 * Walks over the members of the object whose opening brace lies at `from`.
 *
 * @param onMember is told each key (decoded) and where its value begins, and returns the offset after the value
 * @returns the offset after the closing brace
 */
export function scanMembers(
  bytes: Buffer,
  from: number,
  to: number,
  onMember: (key: string, valueStart: number) => number,
): number {
  let i = from + 1
  while (i < to) {
    const c = bytes[i]!
    if (c === CLOSE_BRACE) return i + 1
    if (c !== QUOTE) {
      i++
      continue
    }
    const { end } = scanJson(bytes, i, to, NO_LIMITS)
    const key = decodeKey(bytes, i, end)
    i = skipSpace(bytes, end, to)
    if (bytes[i] !== COLON) return to
    i = onMember(key, skipSpace(bytes, i + 1, to))
  }
  return to
}

/** For scans that only look for the end of a value. */
export const NO_LIMITS: JsonLimits = {
  depthMax: DEPTH_CEILING,
  keysPerObjectMax: Number.POSITIVE_INFINITY,
  keysMax: Number.POSITIVE_INFINITY,
  textBytesMax: Number.POSITIVE_INFINITY,
}

export function skipSpace(bytes: Buffer, from: number, to: number): number {
  let i = from
  while (i < to && isSpace(bytes[i]!)) i++
  return i
}

/** A key as JSON.parse would read it; '' for what is no text, where JSON.parse refuses the whole. */
function decodeKey(bytes: Buffer, start: number, end: number): string {
  const raw = bytes.toString('utf8', start + 1, end - 1)
  if (!raw.includes('\\')) return raw
  try {
    return JSON.parse(`"${raw}"`) as string
  } catch {
    return ''
  }
}

function hasLoneSurrogate(bytes: Buffer, start: number, end: number): boolean {
  for (let i = start; i < end; i++) {
    if (bytes[i] !== BACKSLASH) continue
    i++
    if (bytes[i] !== 0x75) continue
    const unit = escapedUnit(bytes, i + 1, end)
    i += 4
    if (unit < 0xd800 || unit > 0xdfff) continue
    if (unit > 0xdbff) return true
    if (bytes[i + 1] !== BACKSLASH || bytes[i + 2] !== 0x75) return true
    const low = escapedUnit(bytes, i + 3, end)
    if (low < 0xdc00 || low > 0xdfff) return true
    i += 6
  }
  return false
}

/** The four hex digits at `at` as a number; 0 where they are not four hex digits. */
function escapedUnit(bytes: Buffer, at: number, end: number): number {
  if (at + 4 > end) return 0
  const unit = Number.parseInt(bytes.toString('latin1', at, at + 4), 16)
  return Number.isNaN(unit) ? 0 : unit
}

function isFiniteNumber(bytes: Buffer, start: number, end: number): boolean {
  return Number.isFinite(Number(bytes.toString('latin1', start, end)))
}

function isDigit(c: number): boolean {
  return c >= 0x30 && c <= 0x39
}

function isNumberByte(c: number): boolean {
  return isDigit(c) || c === 0x2e || c === MINUS || c === 0x2b || (c | 0x20) === 0x65
}

function isSpace(c: number): boolean {
  return c === 0x20 || c === 0x0a || c === 0x0d || c === 0x09
}

function endsElement(c: number): boolean {
  return c === COMMA || c === CLOSE_BRACKET || c === CLOSE_BRACE || isSpace(c)
}
