import type { Clock } from '../../core/runtime/clock.ts'
import type { Ask } from '../query/ask.ts'
import type { Bindings } from '../query/bindings.ts'
import type { Question } from '../query/question.ts'

/** How long it is believed that a dataset has no event, ms: whoever waits for the first one asks again and again. */
export const NONE_BELIEVED_MS = 5_000

/**
 * Whether an event of the dataset was ever seen in ClickHouse.
 *
 * @throws DependencyError of ClickHouse
 */
export type HasIngested = (question: Question) => Promise<boolean>

/** Asks ClickHouse once for a dataset that has events, and as often as a belief ends for one that has none. */
export function createHasIngested(needs: {
  readonly ask: Ask
  readonly clock: Pick<Clock, 'now'>
}): HasIngested {
  const { ask, clock } = needs
  /** By dataset: when ClickHouse knew of no event, or that it knew one, which stays true. As many as there were datasets. */
  const known = new Map<string, number | 'ingested'>()

  return async (question) => {
    const { id } = question.dataset
    const state = known.get(id)
    if (state === 'ingested') return true
    if (state !== undefined && clock.now() - state < NONE_BELIEVED_MS) return false
    const found = await ask<unknown>(question, (bindings) => firstEventSql(id, bindings))
    known.set(id, found.length > 0 ? 'ingested' : clock.now())
    return found.length > 0
  }
}

/**
 * Grouped as the projection `per_hour` is, and so answered by its few rows. Without a group every row of the dataset counts as
 * one to be read before the first one is, and a large dataset would be refused.
 */
export function firstEventSql(dataset: string, bindings: Bindings): string {
  return (
    `SELECT event FROM events WHERE dataset_id = ${bindings.bind(dataset, 'String')} ` +
    'GROUP BY event, toStartOfHour(event_time) LIMIT 1'
  )
}
