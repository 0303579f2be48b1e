import { isDependencyError } from '../runtime/errors.ts'
import { type ControlChange, openControlPublisher } from './control-publisher.ts'
import type { ControlSource } from './control-topic.ts'

/** Times that a publication is tried which somebody else's pushed out. */
const ATTEMPTS = 3

/**
 * Publishes changes that depend on nothing that is there, one publication after the other. Whoever publishes at the
 * same time fences the other out; these changes are then the same as before, and tried again.
 *
 * @throws DependencyError of Kafka; `fenced` when it was pushed out every time
 */
export function publishing(source: ControlSource): (changes: readonly ControlChange[]) => Promise<void> {
  let before: Promise<void> = Promise.resolve()

  async function publish(changes: readonly ControlChange[], attempt: number): Promise<void> {
    try {
      const publisher = await openControlPublisher(source)
      try {
        await publisher.publish(changes)
      } finally {
        await publisher.close()
      }
    } catch (error) {
      if (!isDependencyError(error) || error.code !== 'fenced' || attempt === ATTEMPTS) throw error
      await publish(changes, attempt + 1)
    }
  }

  return (changes) => {
    const mine = before.then(() => publish(changes, 1))
    before = mine.catch(() => undefined)
    return mine
  }
}
