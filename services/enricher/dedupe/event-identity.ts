import { hash } from 'node:crypto'
import { KEY_BYTES, PAYLOAD_BYTES } from '../../../schemas/dedupe/v1.ts'
import type { JsonObject } from '../../../schemas/field.ts'
import type { Refusal } from '../../../schemas/raw-event/v1.ts'

/** What makes two events the same one. */
export interface EventIdentity {
  /** Of dataset and event id. */
  readonly key: Buffer
  /** Of the event without what a client's retry changes. */
  readonly payload: Buffer
}

/** What a refused event occupies instead of a payload hash: its payload is part of its key. */
export const NO_PAYLOAD: Buffer = Buffer.alloc(PAYLOAD_BYTES)

/**
 * @param payload what {@link eventPayload} or {@link refusalPayload} gives
 */
export function eventIdentity(datasetId: string, eventId: string, payload: string): EventIdentity {
  return {
    // The dataset is part of the key: nobody can occupy another dataset's ids. Its name cannot contain the separator.
    key: hash('sha256', `${datasetId}\0${eventId}`, 'buffer').subarray(0, KEY_BYTES),
    payload: hash('sha256', payload, 'buffer').subarray(0, PAYLOAD_BYTES),
  }
}

/** The event's JSON as it is compared: everything the client sent but `sent_at`, which every retry sets anew. */
export function eventPayload(event: JsonObject): string {
  if (!Object.hasOwn(event, 'sent_at')) return JSON.stringify(event)
  const { sent_at: _, ...rest } = event
  return JSON.stringify(rest)
}

/** An event that the collector refused is compared by what was kept of it. */
export function refusalPayload(refused: Refusal): string {
  return `${refused.payload_bytes}:${refused.payload}`
}

/**
 * The key under which a refused event is remembered. A refused event occupies only (id, payload): it may be corrected
 * and sent again under its id. Both parts are hashes already, so mixing them is enough and a second hash is spared;
 * the inverted word keeps it apart from every accepted key.
 */
export function refusedKey({ key, payload }: EventIdentity): Buffer {
  const mixed = Buffer.from(key)
  for (let i = 0; i < PAYLOAD_BYTES; i++) mixed[i] = mixed[i]! ^ payload[i]!
  for (let i = PAYLOAD_BYTES; i < KEY_BYTES; i++) mixed[i] = ~mixed[i]! & 0xff
  return mixed
}
