import type { Dataset } from '../../../schemas/control/v1.ts'
import { type TimeZone, timeZone, UTC } from './zoned-time.ts'

/** Who asks, about what, and the signal that tells that nobody waits for the answer any more. */
export interface Question {
  readonly dataset: Dataset
  readonly zone: TimeZone
  readonly signal: AbortSignal
  /** Told the id of every statement that is run to answer it. */
  readonly onStatement?: (queryId: string) => void
  /** Told the range of time that it is about, once that is known. */
  readonly onRange?: (range: QuestionRange) => void
}

/** From the beginning on, up to the end without it, epoch ms; null where there is no bound. */
export interface QuestionRange {
  readonly fromMs: number | null
  readonly toMs: number | null
}

/** The zone that a dataset's questions are answered in; UTC when it names none or one that nobody knows. */
export function zoneOf(dataset: Dataset): TimeZone {
  return timeZone(dataset.timezone ?? UTC) ?? UTC
}
