import type { ControlPublisher } from '../../core/control/control-publisher.ts'
import type { AnyControlRecord } from '../../core/control/control-state.ts'
import { isDependencyError } from '../../core/runtime/errors.ts'
import { configDifference, showDifference } from './config-difference.ts'

export interface ApplyEnvironment {
  readonly print: (text: string) => void
  /** Everything in force now. */
  readonly read: () => Promise<readonly AnyControlRecord[]>
  /** Null to publish nothing. */
  readonly openPublisher: (() => Promise<ControlPublisher>) | null
  readonly confirm: (question: string) => Promise<boolean>
}

export type ApplyOutcome = 'applied' | 'unchanged' | 'shown' | 'declined' | 'conflict'

/**
 * Compares, shows, asks, publishes. The publisher is opened before anything is read: were somebody else to publish
 * in between, this one is fenced and nothing of it applies.
 *
 * @throws Error when another publication came in between; DependencyError from Kafka
 */
export async function applyConfig(
  wanted: readonly AnyControlRecord[],
  env: ApplyEnvironment,
): Promise<ApplyOutcome> {
  const publisher = (await env.openPublisher?.()) ?? null
  try {
    const difference = configDifference(await env.read(), wanted)
    const { changes, unchanged, conflicts } = difference
    for (const conflict of conflicts) env.print(conflict)
    if (conflicts.length > 0) return 'conflict'
    if (changes.length === 0) {
      env.print(`Nothing to change: all ${unchanged} objects are in force.`)
      return 'unchanged'
    }
    env.print(showDifference(difference))
    const counted = `${changes.length} ${changes.length === 1 ? 'change' : 'changes'}, ${unchanged} unchanged`
    if (publisher === null) {
      env.print(`${counted}. Nothing was published.`)
      return 'shown'
    }
    if (!(await env.confirm(`${counted}. Publish?`))) {
      env.print('Nothing was published.')
      return 'declined'
    }
    await publisher.publish(changes.map(({ change }) => change))
    env.print(`Published ${counted}. Stages follow within seconds, without a restart.`)
    return 'applied'
  } catch (error) {
    if (isDependencyError(error) && error.code === 'fenced')
      throw new Error('Somebody else applied a configuration at the same time. Run apply again.', {
        cause: error,
      })
    throw error
  } finally {
    await publisher?.close()
  }
}
