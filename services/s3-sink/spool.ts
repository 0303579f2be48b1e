import type { Disk } from './disk.ts'
import { openRowStats, type RowStats } from './row-stats.ts'

/** The rows of one partition path within a spool. */
export interface SpooledPath {
  readonly path: string
  readonly stats: RowStats
  /** Where its lines lie in the spool file: position and length by turns, in the order they were added. */
  readonly segments: number[]
}

/**
 * The rows of one open batch on disk: one file of JSON Lines whatever the number of partition paths, with an index of
 * which stretch belongs to which path; in memory there is only what was added since the last flush.
 */
export interface Spool {
  /** Names that begin with it are for whoever works on this spool; `remove` takes the spool's own away. */
  readonly file: string
  /** @param line bytes of one row without newline; a view is enough until the next flush */
  add(path: string, line: Uint8Array, dataset: string, time: string): void
  /** Appends what was added. @returns bytes written */
  flush(): Promise<number>
  /** In the order of their names. */
  paths(): readonly SpooledPath[]
  readonly pathCount: number
  /** The lines of one path, in order. */
  read(path: SpooledPath): AsyncIterable<Buffer>
  /** A file that holds the lines of one path and nothing else; made beside the spool when it holds other paths too. */
  fileOf(path: SpooledPath): Promise<string>
  remove(): Promise<void>
}

const NEWLINE = 0x0a

/** @param file does not exist yet and belongs to this spool alone, with every name that begins with it */
export function openSpool(disk: Disk, file: string): Spool {
  const paths = new Map<string, SpooledPath>()
  const pending = new Map<SpooledPath, Uint8Array[]>()
  let pendingBytes = 0
  let size = 0

  const spool: Spool = {
    file,
    get pathCount() {
      return paths.size
    },
    add(path, line, dataset, time) {
      let spooled = paths.get(path)
      if (!spooled) {
        spooled = { path, stats: openRowStats(), segments: [] }
        paths.set(path, spooled)
      }
      spooled.stats.count(dataset, time)
      const lines = pending.get(spooled)
      if (lines) lines.push(line)
      else pending.set(spooled, [line])
      pendingBytes += line.length + 1
    },

    async flush() {
      if (pendingBytes === 0) return 0
      const chunk = Buffer.allocUnsafe(pendingBytes)
      let at = 0
      for (const [spooled, lines] of pending) {
        const start = at
        for (const line of lines) {
          chunk.set(line, at)
          at += line.length
          chunk[at++] = NEWLINE
        }
        const { segments, stats } = spooled
        stats.hash(chunk.subarray(start, at))
        const last = segments.length - 2
        // Stretches that follow one another are one: with a single path the whole file is.
        if (last >= 0 && segments[last]! + segments[last + 1]! === size + start)
          segments[last + 1]! += at - start
        else segments.push(size + start, at - start)
      }
      await disk.write(file, size, chunk)
      pending.clear()
      pendingBytes = 0
      size += chunk.length
      return chunk.length
    },

    paths: () => [...paths.values()].sort((a, b) => (a.path < b.path ? -1 : 1)),

    async *read({ segments }) {
      for (let index = 0; index < segments.length; index += 2)
        yield* disk.read(file, segments[index]!, segments[index]! + segments[index + 1]!)
    },

    async fileOf(path) {
      if (paths.size === 1) return file
      const copy = `${file}.path`
      let at = 0
      for await (const chunk of spool.read(path)) {
        await disk.write(copy, at, chunk)
        at += chunk.length
      }
      return copy
    },

    remove: () => disk.remove(file, `${file}.path`),
  }
  return spool
}
