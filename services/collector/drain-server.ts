import type { Clock } from '../core/runtime/clock.ts'
import type { CollectorServer } from './server.ts'

/**
 * Stops taking requests without failing one. Readiness is off already; for `graceMs` requests are still taken, since
 * load balancers need a while to notice, each answered with `connection: close`. Then nobody new is let in, idle
 * connections are closed, and what is under way is finished. A request that is still arriving `cutMs` later is cut:
 * nothing of it was taken. One that has arrived is answered, however long its records take to be safe.
 */
export async function drainServer(
  server: CollectorServer,
  graceMs: number,
  cutMs: number,
  clock: Clock,
): Promise<void> {
  server.startDraining()
  await clock.sleep(graceMs)
  const closed = new AbortController()
  const cut = clock.sleep(cutMs, closed.signal).then(() => server.cutArriving())
  await server.app.close()
  closed.abort()
  await cut
}
