import type { RawEvent } from '../../schemas/raw-event/v1.ts'

/** A whole raw event as the value of its record. Stages splice their bytes instead. */
export function encodeRawEvent(raw: RawEvent): Buffer {
  return Buffer.from(JSON.stringify(raw))
}
