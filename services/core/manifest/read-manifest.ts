import { Value } from '@sinclair/typebox/value'
import { Manifest } from '../../../schemas/manifest/v1.ts'

/**
 * Reads the stored bytes of a manifest.
 *
 * @returns the manifest, or one sentence saying why this is none
 */
export function readManifest(bytes: Uint8Array): Manifest | string {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString())
  } catch {
    return 'It is not JSON.'
  }
  if (Value.Check(Manifest, value)) return value
  const fault = Value.Errors(Manifest, value).First()
  return `Its ${fault?.path || 'value'} is wrong: ${fault?.message ?? 'not a manifest'}.`
}
