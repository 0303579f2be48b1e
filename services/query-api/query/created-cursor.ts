import { invalidInput } from '../http/api-error.ts'

/** Where a page of persons or groups ended: two may begin in the same millisecond, but not under the same key. */
export interface CreatedCursor {
  readonly createdMs: number
  readonly key: string
}

/** Longest text of a cursor: a key of 400 UTF-16 units, U+0001 and a version, escaped and in Base64. */
export const CURSOR_LENGTH_MAX = 4_000

export function encodeCreatedCursor({ createdMs, key }: CreatedCursor): string {
  return Buffer.from(JSON.stringify([createdMs, key])).toString('base64url')
}

/** @throws ApiError 400 for anything that {@link encodeCreatedCursor} did not make */
export function decodeCreatedCursor(text: string): CreatedCursor {
  const [createdMs, key, ...more] = partsOf(text)
  if (Number.isSafeInteger(createdMs) && typeof key === 'string' && more.length === 0)
    return { createdMs: createdMs as number, key }
  throw invalidInput('cursor', 'This cursor is not one of ours. Follow the address in "next" as it is.')
}

function partsOf(text: string): readonly unknown[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    return Array.isArray(parts) ? parts : []
  } catch {
    return []
  }
}
