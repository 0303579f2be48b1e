import { Type } from '@sinclair/typebox'
import { knownError } from '../http/error-answer.ts'
import type { Ticket } from './computations.ts'
import type { QueryProgress } from './query-progress.ts'

/** How a computation is told that somebody does not wait for. */
export interface QueryStatus {
  readonly id: string
  readonly query_async: true
  readonly complete: boolean
  readonly error: boolean
  readonly error_message: string | null
  readonly results: unknown
  readonly start_time: string
  readonly end_time: string | null
  readonly query_progress: QueryProgress | null
}

const TextOrNull = Type.Union([Type.String(), Type.Null()])

export const QueryStatusView = Type.Object({
  id: Type.String(),
  query_async: Type.Literal(true),
  complete: Type.Boolean({ description: 'Whether it has ended, well or not.' }),
  error: Type.Boolean(),
  error_message: TextOrNull,
  results: Type.Unknown({ description: 'Null until it is complete.' }),
  start_time: Type.String(),
  end_time: TextOrNull,
  query_progress: Type.Union(
    [
      Type.Object({
        rows_read: Type.Integer(),
        bytes_read: Type.Integer(),
        estimated_rows_total: Type.Integer(),
        time_elapsed: Type.Number({ description: 'Seconds.' }),
      }),
      Type.Null(),
    ],
    {
      description:
        'Of the statements that run at this moment; null when none does, or ClickHouse does not tell its user.',
    },
  ),
})

/** @param json the result, as text; null where there is none */
export function statusOf(ticket: Ticket, json: string | null, progress: QueryProgress | null): QueryStatus {
  const { id, outcome, startMs } = ticket
  const told = errorOf(ticket, json)
  return {
    id,
    query_async: true,
    complete: outcome.state !== 'running',
    error: told !== null,
    error_message: told,
    results: json === null ? null : JSON.parse(json),
    start_time: new Date(startMs).toISOString(),
    end_time: 'endMs' in outcome ? new Date(outcome.endMs).toISOString() : null,
    query_progress: progress,
  }
}

function errorOf({ outcome }: Ticket, json: string | null): string | null {
  if (outcome.state === 'cancelled') return 'This question was cancelled.'
  if (outcome.state === 'failed')
    return (
      knownError(outcome.error)?.body.detail ??
      'Something went wrong here. Whoever runs this finds it in the logs.'
    )
  if (outcome.state === 'done' && json === null)
    return 'The result was too large to be kept, or others took its place. Ask again, and wait for the answer (refresh=blocking).'
  return null
}
