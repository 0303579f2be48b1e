import type { Clock } from './clock.ts'
import type { Health } from './health.ts'
import { unlessAborted } from './unless-aborted.ts'

/** Between two questions, ms: what `/readyz` says is at most so old, unless it says that there is no answer. */
export const WATCH_EVERY_MS = 5_000

/** Asked for a sign of life every few seconds. */
export interface Watched {
  readonly name: string
  readonly ask: () => Promise<unknown>
}

/**
 * Keeps `/readyz` true about what the stage depends on: asks every {@link WATCH_EVERY_MS}, remembers the
 * answer, and takes silence for three times as long for one.
 *
 * @returns resolves when the signal aborts
 */
export async function watchDependencies(
  watched: readonly Watched[],
  health: Health,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  await Promise.all(
    watched.map(async ({ name, ask }) => {
      let problem: string | null = `${name} has not answered yet.`
      let askedMs = clock.monotonic()
      let waiting = false
      health.add({
        name,
        kind: 'ready',
        problem: () =>
          waiting && clock.monotonic() - askedMs > 3 * WATCH_EVERY_MS ? `${name} does not answer.` : problem,
      })
      while (!signal.aborted) {
        askedMs = clock.monotonic()
        waiting = true
        const answer = ask().then(
          () => null,
          (error: unknown) => (error as Error).message,
        )
        problem = await unlessAborted(answer, signal)
        waiting = false
        await clock.sleep(WATCH_EVERY_MS, signal)
      }
    }),
  )
}
