import { createHash } from 'node:crypto'

/**
 * Gives every line of one file an id that depends on nothing but the file's first line, the line itself and how
 * many equal lines came before it. So a file that was renamed, compressed or appended to gives the same ids again,
 * and two equal requests in one second stay two events.
 */
export interface LineIds {
  /** Call it once per line, in the order of the file. */
  next(line: Buffer): string
}

/**
 * Equal lines carry the same second, so they lie close together; counts are forgotten after this many other lines.
 * Twice as many are held at most: about 100 MB.
 */
const LINES_REMEMBERED = 500_000

/** @param identity what tells this file from others: {@link fileIdentity} or a name given by the user */
export function createLineIds(identity: string, linesRemembered = LINES_REMEMBERED): LineIds {
  let recent = new Map<string, number>()
  let older = new Map<string, number>()
  return {
    next(line) {
      const content = createHash('sha256')
        .update(identity)
        .update('\0')
        .update(line)
        .digest('hex')
        .slice(0, 32)
      const before = recent.get(content) ?? older.get(content) ?? 0
      recent.set(content, before + 1)
      if (recent.size >= linesRemembered) {
        older = recent
        recent = new Map()
      }
      return before === 0 ? `log-${content}` : `log-${content}-${before + 1}`
    },
  }
}

/** @param firstLine beginning of the file's first line */
export function fileIdentity(firstLine: Buffer): string {
  return createHash('sha256').update(firstLine).digest('hex').slice(0, 32)
}
