import type { Clock } from '../../core/runtime/clock.ts'
import type { Definitions } from '../insights/definitions.ts'
import { cohortsOf } from '../insights/frame.ts'
import type { Ask } from '../query/ask.ts'
import type { AskTable } from '../query/ask-table.ts'
import { invalidPatterns } from '../query/invalid-patterns.ts'
import { filtersOf } from '../query/property-filters.ts'
import type { Question } from '../query/question.ts'
import type { EventFrame, EventSelection } from './event-query.ts'

/** What questions about events are made of. */
export interface EventNeeds {
  readonly ask: Ask
  readonly askTable: AskTable
  readonly clock: Pick<Clock, 'now'>
  readonly definitions: Definitions
}

/** Looks up what a selection refers to. @throws ApiError 400 for a cohort that is not there */
export async function eventFrame(
  { ask, clock, definitions }: EventNeeds,
  question: Question,
  { filters, dataset }: Pick<EventSelection, 'filters' | 'dataset'>,
): Promise<EventFrame> {
  const ids = filtersOf(filters).flatMap((filter) => (filter.kind === 'cohort' ? [filter.id] : []))
  const cohorts = await cohortsOf([...new Set(ids)], dataset, { definitions })
  return {
    zone: question.zone,
    nowMs: clock.now(),
    invalidPatterns: await invalidPatterns(ask, question, [filters]),
    cohorts: new Map(cohorts.map(({ id, members }) => [id, members])),
  }
}
