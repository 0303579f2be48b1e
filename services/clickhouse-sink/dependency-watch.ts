import type { Clock } from '../core/runtime/clock.ts'
import type { Health } from '../core/runtime/health.ts'

/** Asked for a sign of life every few seconds. */
export interface Watched {
  readonly name: string
  readonly ask: () => Promise<unknown>
}

/**
 * Keeps `/readyz` true about what the stage depends on: asks, remembers the answer, and counts silence as one.
 *
 * @param everyMs pause between two questions; an answer that takes three times as long is a problem
 * @returns resolves when the signal aborts
 */
export async function watchDependencies(
  watched: readonly Watched[],
  health: Health,
  clock: Clock,
  everyMs: number,
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
          waiting && clock.monotonic() - askedMs > 3 * everyMs ? `${name} does not answer.` : problem,
      })
      while (!signal.aborted) {
        askedMs = clock.monotonic()
        waiting = true
        try {
          await ask()
          problem = null
        } catch (error) {
          problem = (error as Error).message
        }
        waiting = false
        await clock.sleep(everyMs, signal)
      }
    }),
  )
}
