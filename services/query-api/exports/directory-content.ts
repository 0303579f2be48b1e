import { randomUUID } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import type { Clock } from '../../core/runtime/clock.ts'
import { DependencyError } from '../../core/runtime/errors.ts'
import { type ExportContent, ExportTooLarge } from './export-content.ts'

export interface DirectoryBounds {
  /** Of one file. */
  readonly fileBytesMax: number
  /** Of all files together. */
  readonly bytesMax: number
}

/** A part that nobody has written to for so long was left by a process that was killed, ms. */
const PART_AGE_MS = 24 * 3_600_000

/** Files in a directory of this machine. Several machines need a bucket. */
export function directoryContent(
  directory: string,
  { fileBytesMax, bytesMax }: DirectoryBounds,
  clock: Pick<Clock, 'now'>,
): ExportContent {
  const parts = join(directory, 'parts')
  /** Bytes of the parts that this process is writing. */
  let beingWritten = 0

  /** Bytes of all files; parts of killed processes go on the way. */
  async function used(): Promise<number> {
    let sum = 0
    for (const entry of await readdir(directory, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile()) continue
      const path = join(entry.parentPath, entry.name)
      const found = await stat(path).catch(() => null)
      if (found === null) continue
      if (entry.parentPath === parts && clock.now() - found.mtimeMs > PART_AGE_MS)
        await rm(path, { force: true })
      else sum += found.size
    }
    return sum
  }

  return {
    write: (key, _, pieces) =>
      onDisk(async () => {
        await mkdir(parts, { recursive: true, mode: 0o700 })
        const before = await used()
        const part = join(parts, randomUUID())
        let bytes = 0
        async function* bounded() {
          for await (const piece of pieces) {
            const chunk = typeof piece === 'string' ? Buffer.from(piece) : piece
            bytes += chunk.length
            beingWritten += chunk.length
            if (bytes > fileBytesMax) throw new ExportTooLarge(fileBytesMax)
            if (before + beingWritten > bytesMax)
              throw new DependencyError(
                'disk',
                'read_only',
                `The files of exports have ${bytesMax} bytes together, the most they may. Delete some, or raise MILLRACE_EXPORT_DIR_BYTES.`,
              )
            yield chunk
          }
        }
        try {
          await pipeline(bounded(), createWriteStream(part, { mode: 0o600, flush: true }))
          const file = join(directory, key)
          await mkdir(dirname(file), { recursive: true, mode: 0o700 })
          await rename(part, file)
        } finally {
          beingWritten -= bytes
          await rm(part, { force: true })
        }
        return bytes
      }),
    open: (key) =>
      onDisk(async () => {
        const file = join(directory, key)
        const found = await stat(file).catch(absentAsNull)
        return found === null ? null : { length: found.size, body: createReadStream(file) }
      }),
    remove: (key) => onDisk(() => rm(join(directory, key), { force: true })),
  }
}

function absentAsNull(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return null
  throw error
}

/** Faults of the disk, and only those, as what they are. */
async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const { code, syscall } = error as NodeJS.ErrnoException
    if (syscall === undefined) throw error
    const isFull = code === 'ENOSPC' || code === 'EDQUOT' || code === 'EROFS'
    throw new DependencyError(
      'disk',
      isFull ? 'read_only' : 'unavailable',
      `The directory of exports: ${(error as Error).message}.`,
      error,
    )
  }
}
