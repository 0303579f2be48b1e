import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { createGunzip } from 'node:zlib'

export interface LogLine {
  /** Without its newline; null when the line is longer than the limit. */
  readonly bytes: Buffer | null
  /** Up to 200 bytes of it, for messages. */
  readonly beginning: Buffer
  /** False for a last line that no newline ends: somebody may still be writing it. */
  readonly terminated: boolean
}

/** Where reading stands, for the progress bar: bytes of the file as it lies on disk. */
export interface ReadProgress {
  bytesRead: number
}

const NEWLINE = 10
const BEGINNING_BYTES = 200

/**
 * Lines of a file, plain or gzip (told by its first bytes, not by its name; several gzip members are one file).
 * Memory is one chunk and one line, whatever the file.
 *
 * @param lineBytesMax longer lines are handed out without their bytes
 * @throws Error from the file system, or from zlib when a gzip file is damaged or cut off
 */
export async function* readLogLines(
  path: string,
  lineBytesMax: number,
  progress: ReadProgress = { bytesRead: 0 },
): AsyncGenerator<LogLine> {
  const isGzip = await startsLikeGzip(path)
  const file = createReadStream(path, { highWaterMark: 256 * 1024 })
  file.on('data', (chunk) => {
    progress.bytesRead += chunk.length
  })
  file.pause()
  let source: Readable = file
  if (isGzip) {
    const gunzip = createGunzip()
    file.once('error', (error) => gunzip.destroy(error))
    source = file.pipe(gunzip)
  }
  try {
    yield* splitLines(source, lineBytesMax)
  } finally {
    source.destroy()
    file.destroy()
  }
}

/** @param source any stream of byte chunks */
export async function* splitLines(
  source: AsyncIterable<Buffer>,
  lineBytesMax: number,
): AsyncGenerator<LogLine> {
  let kept: Buffer[] = []
  let keptBytes = 0
  let lineBytes = 0
  const keep = (bytes: Buffer) => {
    lineBytes += bytes.length
    // Past the limit only the beginning is of use, and it is there already.
    if (keptBytes > lineBytesMax || bytes.length === 0) return
    kept.push(
      bytes.length + keptBytes > lineBytesMax + 1 ? bytes.subarray(0, lineBytesMax + 1 - keptBytes) : bytes,
    )
    keptBytes += kept[kept.length - 1]!.length
  }
  const take = (terminated: boolean): LogLine => {
    const whole = kept.length === 1 ? kept[0]! : Buffer.concat(kept)
    const line = {
      bytes: lineBytes > lineBytesMax ? null : whole,
      beginning: whole.subarray(0, BEGINNING_BYTES),
      terminated,
    }
    kept = []
    keptBytes = 0
    lineBytes = 0
    return line
  }
  for await (const chunk of source) {
    let start = 0
    for (;;) {
      const end = chunk.indexOf(NEWLINE, start)
      if (end < 0) break
      keep(chunk.subarray(start, end))
      yield take(true)
      start = end + 1
    }
    keep(chunk.subarray(start))
  }
  if (lineBytes > 0) yield take(false)
}

async function startsLikeGzip(path: string): Promise<boolean> {
  const file = await open(path)
  try {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(2), 0, 2, 0)
    return bytesRead === 2 && buffer[0] === 0x1f && buffer[1] === 0x8b
  } finally {
    await file.close()
  }
}
