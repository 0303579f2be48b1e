import { constants, fstatSync, openSync, writeSync } from 'node:fs'

/** Lines that wait for a reader, bytes; past it new ones are dropped and counted. */
const WAITING_BYTES_MAX = 4 * 1024 * 1024
/** Pause before a full pipe is tried again, ms. */
const AGAIN_MS = 50

/** Where log lines go. */
export interface LogPipe {
  /** Never waits. */
  write(line: string): void
}

export interface LogPipeOptions {
  /** @returns bytes taken, of a pipe that does not block. @throws an error with code EAGAIN when it takes none now */
  readonly send: (bytes: Buffer) => number
  /** Told of every line that is dropped. */
  readonly onDropped: () => void
  /** Told of how many were dropped, once somebody reads again. */
  readonly onReadAgain: (dropped: number) => void
  readonly waitingBytesMax?: number
}

/**
 * Lines as long as somebody reads them. Whoever is to read may stand still, and a process that waits for him stands still
 * with him: it would answer no client and lose its partitions because of a log. So lines wait here, a bounded number
 * of bytes, and then they are dropped. A line is in the pipe when `write` returns as long as there is room: the last words
 * of a process that is killed are not lost.
 */
export function createLogPipe({
  send,
  onDropped,
  onReadAgain,
  waitingBytesMax = WAITING_BYTES_MAX,
}: LogPipeOptions): LogPipe {
  let waiting: Buffer[] = []
  let waitingBytes = 0
  let dropped = 0
  let timer: NodeJS.Timeout | null = null
  let isBroken = false

  /** @returns what the pipe did not take */
  function sendAll(bytes: Buffer): Buffer {
    let left = bytes
    try {
      while (left.length > 0) left = left.subarray(send(left))
    } catch (error) {
      // Nobody will ever read again, as when the reader of a shell's pipe ended: there is nowhere to say so.
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') isBroken = true
    }
    return left
  }

  function keep(bytes: Buffer): void {
    waiting.push(bytes)
    waitingBytes += bytes.length
    timer ??= setInterval(sendWaiting, AGAIN_MS).unref()
  }

  function sendWaiting(): void {
    while (waiting.length > 0 && !isBroken) {
      const [first] = waiting as [Buffer]
      const left = sendAll(first)
      waitingBytes -= first.length - left.length
      if (left.length > 0) {
        waiting[0] = left
        return
      }
      waiting.shift()
    }
    waiting = []
    waitingBytes = 0
    if (timer) clearInterval(timer)
    timer = null
    if (dropped === 0) return
    const count = dropped
    dropped = 0
    onReadAgain(count)
  }
  process.once('exit', sendWaiting)

  return {
    write(line) {
      if (isBroken) return
      const bytes = Buffer.from(line)
      if (waiting.length > 0 && waitingBytes + bytes.length > waitingBytesMax) {
        dropped++
        onDropped()
        return
      }
      const left = waiting.length > 0 ? bytes : sendAll(bytes)
      if (left.length > 0 && !isBroken) keep(left)
    },
  }
}

/**
 * Standard output opened once more so that it does not block, which leaves it as it is for whoever shares it.
 *
 * @returns null where that cannot be had and lines are written as ever: a file or terminal, which does not fill up; a
 *   socket; a system without Linux' /proc
 */
export function nonBlockingOutput(): ((bytes: Buffer) => number) | null {
  try {
    if (!fstatSync(1).isFIFO()) return null
    const fd = openSync('/proc/self/fd/1', constants.O_WRONLY | constants.O_NONBLOCK)
    return (bytes) => writeSync(fd, bytes)
  } catch {
    return null
  }
}
