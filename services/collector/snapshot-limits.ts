import { type JsonElement, NO_LIMITS, scanJson, scanMembers } from '../core/event/scan-json.ts'

/** Name of the events that carry a session's recording. */
export const SNAPSHOT_EVENT = '$snapshot'

const OPEN_BRACE = 0x7b
const NAME_JSON = JSON.stringify(SNAPSHOT_EVENT)

/**
 * Whether the JSON object at `[start, end)` is a chunk of a recording, by its name alone. Nothing is built, so it may be
 * asked of what no limit lets through. As with JSON.parse, the last of several members of one name counts.
 */
export function isSnapshotJson(bytes: Buffer, start: number, end: number): boolean {
  if (bytes[start] !== OPEN_BRACE || !bytes.subarray(start, end).includes(NAME_JSON)) return false
  let found = false
  scanMembers(bytes, start, end, (key, valueStart) => {
    const { end: valueEnd } = scanJson(bytes, valueStart, end, NO_LIMITS)
    if (key === 'event') found = bytes.toString('utf8', valueStart, valueEnd) === NAME_JSON
    return valueEnd
  })
  return found
}

/**
 * An element with the fault that counts for it. A chunk of a recording holds whole pages: their depth, keys and style
 * sheets pass what an event may have, so a chunk is bounded by its bytes, and by the depth that can be written again.
 */
export function withSnapshotLimits(bytes: Buffer, element: JsonElement): JsonElement {
  if (element.fault === null || !isSnapshotJson(bytes, element.start, element.end)) return element
  return { ...element, fault: scanJson(bytes, element.start, element.end, NO_LIMITS).fault }
}
