import { existsSync } from 'node:fs'
import { openDatabase } from '../../core/metadata/open-metadata.ts'
import { type Finding, fault, ok } from './check.ts'

/** A database that a stage keeps what it knows in. */
export interface DatabaseToCheck {
  readonly name: string
  /** `postgres://…` or `sqlite:<file>`; null for the file. */
  readonly url: string | null
  readonly file: string
  /** The setting that says where it is. */
  readonly variable: string
  /** The stage that makes it. */
  readonly stage: string
}

/**
 * Whether a database answers. A file that is not there is none's fault: its stage makes it, perhaps on another machine.
 * Nothing is made, and nothing of the URL is told but host and name.
 */
export async function checkDatabase(
  { name, url, file, variable, stage }: DatabaseToCheck,
  timeoutMs: number,
): Promise<Finding> {
  const server = url?.startsWith('postgres') ? new URL(url) : null
  const path = url === null ? file : url.replace(/^sqlite:/, '')
  const place = server === null ? path : `PostgreSQL at ${server.host}${server.pathname}`
  if (server === null && !existsSync(path)) return ok(name, `${path} is not there yet; the ${stage} makes it`)
  try {
    const database = await openDatabase(url, file, { connectionsMax: 1, timeoutMs })
    try {
      await database.ping()
    } finally {
      await database.close()
    }
    return ok(name, `${place} answers`)
  } catch (error) {
    return fault(name, (error as Error).message, `Is a database at ${place}? ${variable} says where.`)
  }
}
