/**
 * Waits for an answer, but not past the end of whoever asked: a question to a dependency that hangs may take its whole
 * timeout, which is longer than a process has to stop.
 *
 * @returns the answer; null when the signal aborted first, and then what becomes of `work` is nobody's business
 * @throws what `work` throws
 */
export async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T | null> {
  const aborted = Promise.withResolvers<null>()
  const onAbort = () => aborted.resolve(null)
  signal.addEventListener('abort', onAbort, { once: true })
  if (signal.aborted) onAbort()
  try {
    return await Promise.race([work, aborted.promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
