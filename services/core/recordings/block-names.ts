import { createHash } from 'node:crypto'
import type { Plan } from '../stream/planned-plan.ts'

/**
 * Where the blocks of a session lie. Dataset ids are slugs; a session's id is a client's text, so its hash stands for it.
 */
export function sessionPrefix(datasetId: string, sessionId: string): string {
  const hash = createHash('sha256').update(sessionId).digest('hex').slice(0, 32)
  return `recordings/${datasetId}/${hash}/`
}

/** Object of a session's chunks in one planned range: whoever replays the plan writes the same name. */
export function blockKey(
  datasetId: string,
  sessionId: string,
  partition: number,
  { topicId, start, end }: Pick<Plan, 'topicId' | 'start' | 'end'>,
): string {
  const range = [start, end].map((offset) => String(offset).padStart(20, '0')).join('-')
  return `${sessionPrefix(datasetId, sessionId)}${topicId}-${partition}-${range}.jsonl.gz`
}
