import { isUtf8 } from 'node:buffer'
import {
  type JsonElement,
  type JsonFault,
  scanElements,
  scanJson,
  scanMembers,
  skipSpace,
} from '../core/event/scan-json.ts'
import { RequestRefusal } from './request-refusal.ts'
import { type EventLimits, isObject } from './sent-request.ts'
import { isSnapshotJson, withSnapshotLimits } from './snapshot-limits.ts'

/** The events of a JSON or NDJSON body, parsed, beside the bytes they were sent as. */
export interface JsonEvents {
  readonly items: readonly JsonItem[]
  /** The object around `batch`; null when the body is an array, one event or NDJSON. */
  readonly envelope: Readonly<Record<string, unknown>> | null
  /** True when the body is one event and nothing around it, which then may carry what concerns the request. */
  readonly single: boolean
}

export interface JsonItem {
  readonly bytes: Buffer
  /** Undefined or null when the bytes were not parsed: see `fault`. */
  readonly value: unknown
  readonly fault: JsonFault | null
}

const OPEN_BRACE = 0x7b
const OPEN_BRACKET = 0x5b
const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/**
 * Reads one event, an array of events, or `{batch: […], …}`. The bytes are walked over first: that finds where each
 * event lies and what is wrong with it, so a value nested too deep is never built. Then the body is parsed once.
 *
 * @param body is written to where an event is nested too deep
 */
export function readJsonEvents(body: Buffer, limits: EventLimits): JsonEvents | RequestRefusal {
  if (!isUtf8(body)) return new RequestRefusal('invalid_utf8', 'The body is not UTF-8.')
  const start = skipSpace(body, byteOrderMark(body), body.length)
  if (start === body.length) return new RequestRefusal('no_data', 'The body is empty.')
  const spans = findSpans(body, start, limits)
  if (spans instanceof RequestRefusal) return spans
  if (spans.elements.length > limits.eventsMax) return tooManyEvents(limits)

  const kept = spans.elements.map((span) => keep(body, withSnapshotLimits(body, span)))
  let parsed: unknown
  try {
    parsed = JSON.parse(body.toString('utf8', start))
  } catch {
    return new RequestRefusal('invalid_json', 'The body is not JSON.')
  }
  const envelope = spans.inBatch ? (parsed as Record<string, unknown>) : null
  const values = envelope ? envelope.batch : spans.inArray ? parsed : [parsed]
  if (!Array.isArray(values) || values.length !== kept.length)
    throw new Error('The scan and JSON.parse disagree about where the events of a body are.')
  return {
    envelope,
    single: !spans.inBatch && !spans.inArray,
    items: kept.map(({ bytes, fault }, index) => ({ bytes, fault, value: values[index] })),
  }
}

interface Spans {
  readonly elements: readonly JsonElement[]
  readonly inBatch: boolean
  readonly inArray: boolean
}

function findSpans(body: Buffer, start: number, limits: EventLimits): Spans | RequestRefusal {
  const { length } = body
  if (body[start] === OPEN_BRACKET) {
    const { elements } = scanElements(body, start, length, limits, limits.eventsMax)
    return { elements, inBatch: false, inArray: true }
  }
  if (body[start] !== OPEN_BRACE)
    return new RequestRefusal('invalid_payload', 'The body is neither an event nor a list of events.')
  // One event, unless a member of the outermost object is called batch; a backslash may hide that name.
  if (body.includes('"batch"') || body.includes('\\')) {
    const found = findBatch(body, start, limits)
    if (found !== null) return found
  }
  const { end, fault } = scanJson(body, start, length, limits)
  return { elements: [{ start, end, fault }], inBatch: false, inArray: false }
}

/** The events of `{batch: […]}`; null when there is no such member. */
function findBatch(body: Buffer, start: number, limits: EventLimits): Spans | RequestRefusal | null {
  let elements: readonly JsonElement[] | null = null
  let notAList = false
  let tooDeep = false
  scanMembers(body, start, body.length, (key, valueStart) => {
    // As with JSON.parse, the last of several members of one name counts.
    if (key === 'batch') {
      notAList = body[valueStart] !== OPEN_BRACKET
      if (!notAList) {
        const scanned = scanElements(body, valueStart, body.length, limits, limits.eventsMax)
        elements = scanned.elements
        return scanned.end
      }
    }
    const { end, fault } = scanJson(body, valueStart, body.length, limits)
    tooDeep ||= fault?.code === 'too_deep'
    return end
  })
  if (notAList) return new RequestRefusal('invalid_payload', 'batch is not a list.', 'batch')
  if (elements === null) return null
  if (tooDeep)
    return new RequestRefusal('too_deep', `The body is nested deeper than ${limits.depthMax} levels.`)
  return { elements, inBatch: true, inArray: false }
}

/**
 * An event's bytes. One that is nested too deep is taken out of the body, so that JSON.parse reads `null` in its
 * place; it has more than enough bytes for that.
 */
function keep(body: Buffer, span: JsonElement): { bytes: Buffer; fault: JsonFault | null } {
  const bytes = body.subarray(span.start, span.end)
  if (span.fault?.code !== 'too_deep') return { bytes, fault: span.fault }
  const copy = Buffer.from(bytes)
  bytes.fill(0x20)
  bytes.write('null')
  return { bytes: copy, fault: span.fault }
}

/** Reads one event per line; what is wrong with a line concerns that line alone. Empty lines are skipped. */
export function readNdjsonEvents(body: Buffer, limits: EventLimits): JsonEvents | RequestRefusal {
  const items: JsonItem[] = []
  for (let start = byteOrderMark(body); start < body.length; ) {
    const lineFeed = body.indexOf(LINE_FEED, start)
    const next = lineFeed < 0 ? body.length : lineFeed + 1
    let end = lineFeed < 0 ? body.length : lineFeed
    if (end > start && body[end - 1] === CARRIAGE_RETURN) end--
    const first = skipSpace(body, start, end)
    if (first < end) {
      if (items.length === limits.eventsMax) return tooManyEvents(limits)
      items.push(readLine(body.subarray(first, end), limits))
    }
    start = next
  }
  if (items.length === 0) return new RequestRefusal('no_data', 'The body is empty.')
  return { items, envelope: null, single: false }
}

function readLine(bytes: Buffer, limits: EventLimits): JsonItem {
  const unread = (fault: JsonFault): JsonItem => ({ bytes, value: undefined, fault })
  if (!isUtf8(bytes)) return unread({ code: 'invalid_utf8', detail: 'The line is not UTF-8.' })
  // Its size alone refuses it; building it would only cost.
  const isLarge = bytes.length > limits.eventBytesMax
  if (isLarge && (bytes.length > limits.recordingChunkBytesMax || !isSnapshotJson(bytes, 0, bytes.length)))
    return { bytes, value: undefined, fault: null }
  const { fault } = withSnapshotLimits(bytes, { start: 0, ...scanJson(bytes, 0, bytes.length, limits) })
  if (fault?.code === 'too_deep') return unread(fault)
  try {
    return { bytes, value: JSON.parse(bytes.toString('utf8')), fault }
  } catch {
    return unread({ code: 'invalid_json', detail: 'The line is not JSON.' })
  }
}

/** RFC 8259 lets a reader skip a byte order mark; several clients on Windows write one. */
function byteOrderMark(body: Buffer): number {
  return body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf ? 3 : 0
}

function tooManyEvents(limits: EventLimits): RequestRefusal {
  return new RequestRefusal('too_many_events', `A request has at most ${limits.eventsMax} events.`)
}

/**
 * The write key in a body, under either of its names.
 *
 * @param carrier the envelope, or the one event that is the whole body
 */
export function keyIn(carrier: unknown): string | undefined {
  if (!isObject(carrier)) return undefined
  const key = carrier.write_key ?? carrier.writeKey
  return typeof key === 'string' ? key : undefined
}
