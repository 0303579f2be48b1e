import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

/** How far an import got: everything up to `lines` is acknowledged, malformed lines counted. */
export interface Checkpoint {
  readonly v: 1
  /** Lines from the beginning of the file. */
  readonly lines: number
  /** SHA-256 of those lines, so that another file of the same beginning is not mistaken for this one. */
  readonly digest: string
  readonly accepted: number
  readonly rejected: number
  readonly malformed: number
}

export interface CheckpointStore {
  /** Null when there is none, or none that can be read. */
  read(): Checkpoint | null
  /** Replaces it as a whole: a crash leaves the old one or the new one. */
  write(checkpoint: Checkpoint): void
}

export function fileCheckpoint(path: string): CheckpointStore {
  return {
    read() {
      try {
        const found = JSON.parse(readFileSync(path, 'utf8')) as Checkpoint
        return found.v === 1 && Number.isSafeInteger(found.lines) ? found : null
      } catch {
        // Missing or torn: the import starts from the first line, and equal ids keep it from adding anything.
        return null
      }
    },
    write(checkpoint) {
      mkdirSync(dirname(path), { recursive: true })
      writeFileSync(`${path}.new`, `${JSON.stringify(checkpoint)}\n`)
      renameSync(`${path}.new`, path)
    },
  }
}
