import type { Static, TSchema } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import { ClosedHour } from '../../../schemas/closed-hour/v1.ts'
import { Manifest } from '../../../schemas/manifest/v1.ts'

/**
 * Reads the stored bytes of a manifest.
 *
 * @returns the manifest, or one sentence saying why this is none
 */
export function readManifest(bytes: Uint8Array): Manifest | string {
  return readStored(Manifest, bytes, 'a manifest')
}

/** The same for a closed hour. */
export function readClosedHour(bytes: Uint8Array): ClosedHour | string {
  return readStored(ClosedHour, bytes, 'a closed hour')
}

function readStored<T extends TSchema>(schema: T, bytes: Uint8Array, what: string): Static<T> | string {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return 'It is not JSON.'
  }
  if (Value.Check(schema, value)) return value
  const fault = Value.Errors(schema, value).First()
  return `Its ${fault?.path || 'value'} is wrong: ${fault?.message ?? `not ${what}`}.`
}
