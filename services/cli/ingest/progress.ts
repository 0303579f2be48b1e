/**
 * A progress line that rewrites itself on a terminal, and on anything else a plain line now and then, so that a log
 * does not fill up.
 */
export interface Progress {
  /** Call as often as you like; it writes at most every `everyMs`. */
  update(text: () => string): void
  /** Writes a last line and ends it. */
  done(text: string): void
  /** Takes the line away, for something else to be written in its place. */
  clear(): void
}

export interface ProgressOutput {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

const TERMINAL_EVERY_MS = 100
const PLAIN_EVERY_MS = 5_000

export function createProgress(output: ProgressOutput, monotonic: () => number): Progress {
  const everyMs = output.isTTY ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS
  let lastMs = output.isTTY ? Number.NEGATIVE_INFINITY : monotonic()
  return {
    update(text) {
      const nowMs = monotonic()
      if (nowMs - lastMs < everyMs) return
      lastMs = nowMs
      output.write(output.isTTY ? `\r\u001b[2K${text()}` : `${text()}\n`)
    },
    done(text) {
      output.write(output.isTTY ? `\r\u001b[2K${text}\n` : `${text}\n`)
    },
    clear() {
      if (output.isTTY) output.write('\r\u001b[2K')
    },
  }
}

const TELL_EVERY_MS = 250

/** Shows what is waited for until `work` has ended, however it ends. */
export async function tellWhile<T>(progress: Progress, text: () => string, work: Promise<T>): Promise<T> {
  const timer = setInterval(() => progress.update(text), TELL_EVERY_MS)
  try {
    return await work
  } finally {
    clearInterval(timer)
    progress.clear()
  }
}

/** `12,345` */
export function grouped(count: number): string {
  return Math.round(count).toLocaleString('en-US')
}
