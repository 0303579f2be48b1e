import { execFileSync } from 'node:child_process'
import { closeSync, constants, openSync, readSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../core/runtime/clock.ts'

/** A pipe for what a child process prints, read at intervals. */
export interface PolledPipe {
  /** For the child's `stdio`; to be closed once the child has it, or the pipe never ends. */
  readonly writeEnd: number
  closeWriteEnd(): void
  /** What was written, until every holder of the write end is gone. Each chunk is valid until the next one. */
  chunks(): AsyncIterable<Buffer>
  close(): void
}

const CHUNK_BYTES = 64 * 1024
/** Pauses between looks: short while much comes, ms. */
const BUSY_MS = 1
const CALM_MS = 5

/**
 * Opens a pipe whose reader looks at it now and then instead of waking at every write. A Java program prints a record
 * with several writes of some bytes each: told of every one, the reader and the program spend twice the processor time
 * of the printing itself on waking each other.
 *
 * @param name a text that no other pipe has
 */
export function openPolledPipe(name: string): PolledPipe {
  const file = join(tmpdir(), `millrace-pipe-${process.pid}-${name}`)
  execFileSync('mkfifo', ['-m', '600', file])
  let readEnd: number
  let writeEnd: number
  try {
    readEnd = openSync(file, constants.O_RDONLY | constants.O_NONBLOCK)
    writeEnd = openSync(file, constants.O_WRONLY)
  } finally {
    rmSync(file)
  }
  return {
    writeEnd,
    closeWriteEnd: () => closeSync(writeEnd),
    close: () => closeSync(readEnd),
    async *chunks() {
      const buffer = Buffer.allocUnsafe(CHUNK_BYTES)
      for (;;) {
        const bytes = readWhatIsThere(readEnd, buffer)
        if (bytes === 0) return
        if (bytes !== null) yield buffer.subarray(0, bytes)
        await systemClock.sleep(bytes !== null && bytes > CHUNK_BYTES / 4 ? BUSY_MS : CALM_MS)
      }
    },
  }
}

/** @returns bytes read; 0 at the end; null when there is nothing at the moment */
function readWhatIsThere(fd: number, buffer: Buffer): number | null {
  try {
    return readSync(fd, buffer)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return null
    throw error
  }
}

/** Cuts chunks into lines without their line feed; a line is valid until the next one is asked for. */
export async function* linesOf(chunks: AsyncIterable<Buffer>): AsyncIterable<Buffer> {
  let begun: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    let at = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, at)) {
      const rest = chunk.subarray(at, end)
      yield begun.length === 0 ? rest : Buffer.concat([begun, rest])
      begun = Buffer.alloc(0)
      at = end + 1
    }
    // The chunk's bytes are read over by the next one.
    begun = Buffer.concat([begun, chunk.subarray(at)])
  }
  if (begun.length > 0) yield begun
}
