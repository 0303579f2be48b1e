import { invalidInput } from '../http/api-error.ts'

/**
 * Where a page ended. Event time alone would lose events that share a millisecond; with the position of the raw
 * record, which nothing shares, the order is total.
 */
export interface PageCursor {
  readonly eventTimeMs: number
  readonly srcPartition: number
  readonly srcOffset: number
}

export function encodeCursor({ eventTimeMs, srcPartition, srcOffset }: PageCursor): string {
  return Buffer.from(`${eventTimeMs}.${srcPartition}.${srcOffset}`).toString('base64url')
}

/** @throws ApiError 400 for anything that {@link encodeCursor} did not make */
export function decodeCursor(text: string): PageCursor {
  const parts = /^(-?\d{1,16})\.(\d{1,10})\.(\d{1,16})$/.exec(
    Buffer.from(text, 'base64url').toString('latin1'),
  )
  if (parts === null || text.length > 80)
    throw invalidInput('cursor', 'This cursor is not one of ours. Follow the address in "next" as it is.')
  return { eventTimeMs: Number(parts[1]), srcPartition: Number(parts[2]), srcOffset: Number(parts[3]) }
}
