import { isUtf8 } from 'node:buffer'
import { promisify } from 'node:util'
import { gunzip } from 'node:zlib'
import { NO_LIMITS, scanJson } from '../core/event/scan-json.ts'
import { type Refusal, textFault } from './judge-event.ts'
import { type EventLimits, isObject } from './sent-request.ts'

const decompress = promisify(gunzip)

/** A chunk of a recording as the client sent it, checked. */
export interface SentChunk {
  readonly sessionId: string
  readonly windowId: string
  readonly library: string | null
  /** rrweb events, at least one. */
  readonly events: readonly unknown[]
}

/** What stands in `$snapshot_data` when older clients compressed it. */
export const COMPRESSION = 'gzip-base64'

/**
 * Reads `{event: "$snapshot", properties: {$session_id, $window_id, $snapshot_data}}`. The data is a list of rrweb
 * events, one of them, or `{compression: "gzip-base64", data}` around such a list. Of an rrweb event its type and time
 * are checked; all else is between the recorder and the player.
 *
 * @param value an event that {@link judgeEvent} accepts
 */
export async function readSnapshot(
  value: Readonly<Record<string, unknown>>,
  limits: EventLimits,
): Promise<SentChunk | NonNullable<Refusal>> {
  const properties = isObject(value.properties) ? value.properties : {}
  const sessionId = properties.$session_id ?? value.session_id
  const windowId = properties.$window_id ?? sessionId
  const fault = idFault('$session_id', sessionId, limits) ?? idFault('$window_id', windowId, limits)
  if (fault !== null) return fault
  const events = await readEvents(properties.$snapshot_data, limits)
  if (!Array.isArray(events)) return events as NonNullable<Refusal>
  return (
    eventsFault(events) ?? {
      sessionId: sessionId as string,
      windowId: windowId as string,
      library: typeof properties.$lib === 'string' ? properties.$lib.slice(0, limits.idBytesMax) : null,
      events,
    }
  )
}

function idFault(name: string, id: unknown, limits: EventLimits): Refusal {
  if (id === undefined || id === null)
    return { code: 'missing_field', detail: `properties.${name} is missing.` }
  if (typeof id !== 'string') return { code: 'invalid_type', detail: `properties.${name} is not text.` }
  return textFault(`properties.${name}`, id, limits)
}

async function readEvents(
  data: unknown,
  limits: EventLimits,
): Promise<readonly unknown[] | NonNullable<Refusal>> {
  if (data === undefined || data === null)
    return { code: 'missing_field', detail: 'properties.$snapshot_data is missing.' }
  if (Array.isArray(data)) return data
  if (!isObject(data))
    return { code: 'invalid_type', detail: 'properties.$snapshot_data is not a list of rrweb events.' }
  return data.compression === undefined ? [data] : decompressed(data, limits)
}

/** A part of a chunk that was cut before it was sent cannot be read by itself. */
async function decompressed(
  { compression, data, chunk_count: parts }: Readonly<Record<string, unknown>>,
  limits: EventLimits,
): Promise<readonly unknown[] | NonNullable<Refusal>> {
  const wrong = (detail: string) => ({ code: 'invalid_value', detail }) as const
  if (compression !== COMPRESSION)
    return wrong(`properties.$snapshot_data.compression is not ${COMPRESSION}.`)
  if (parts !== undefined && parts !== null && parts !== 1)
    return wrong('properties.$snapshot_data is a part of a chunk; send a whole one with each event.')
  if (typeof data !== 'string')
    return { code: 'invalid_type', detail: 'properties.$snapshot_data.data is not text.' }
  let text: Buffer
  try {
    text = await decompress(Buffer.from(data, 'base64'), { maxOutputLength: limits.recordingChunkBytesMax })
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE')
      return {
        code: 'too_large',
        detail: `The chunk has more than ${limits.recordingChunkBytesMax} bytes when decompressed.`,
      }
    return wrong('properties.$snapshot_data.data is not gzip in base64.')
  }
  if (!isUtf8(text)) return { code: 'invalid_utf8', detail: 'properties.$snapshot_data is not UTF-8.' }
  const { fault } = scanJson(text, 0, text.length, NO_LIMITS)
  if (fault !== null) return fault
  try {
    const events: unknown = JSON.parse(text.toString('utf8'))
    return Array.isArray(events) ? events : [events]
  } catch {
    return { code: 'invalid_json', detail: 'properties.$snapshot_data is not JSON when decompressed.' }
  }
}

/** Past this a double cannot tell milliseconds apart, and no calendar goes on. */
const TIME_MAX_MS = 8.64e15

function eventsFault(events: readonly unknown[]): Refusal {
  if (events.length === 0)
    return { code: 'invalid_value', detail: 'properties.$snapshot_data has no rrweb event.' }
  for (const [index, event] of events.entries()) {
    const place = `properties.$snapshot_data[${index}]`
    if (!isObject(event)) return { code: 'invalid_type', detail: `${place} is not an object.` }
    if (!Number.isSafeInteger(event.type) || (event.type as number) < 0)
      return { code: 'invalid_value', detail: `${place}.type is not the number of an rrweb event type.` }
    const { timestamp } = event
    if (typeof timestamp !== 'number' || timestamp < 0 || timestamp > TIME_MAX_MS)
      return { code: 'invalid_value', detail: `${place}.timestamp is not in epoch milliseconds.` }
  }
  return null
}
