import type { ControlView } from '../core/control/control-view.ts'
import type { Clock } from '../core/runtime/clock.ts'

/**
 * Keys as last confirmed, believed for a while. Without it a collector takes nothing while Kafka is away, since a key
 * may have been revoked meanwhile; with a local store it goes on, and a key that was revoked while this process could
 * not hear of it lets events in until it can, or until `maxMs` are over.
 */
export function trustKeys(
  control: Pick<ControlView, 'snapshot' | 'problem'>,
  maxMs: number,
  clock: Clock,
): Pick<ControlView, 'snapshot' | 'problem'> {
  let confirmedMs = clock.monotonic()
  return {
    get snapshot() {
      return control.snapshot
    },
    problem() {
      const problem = control.problem()
      if (problem === null) confirmedMs = clock.monotonic()
      return problem === null || clock.monotonic() - confirmedMs <= maxMs ? null : problem
    },
  }
}
