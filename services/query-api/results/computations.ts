import type { Clock } from '../../core/runtime/clock.ts'
import { unlessAborted } from '../../core/runtime/unless-aborted.ts'
import { ApiError } from '../http/api-error.ts'
import type { Turns } from './turns.ts'

/** Somebody's interest in a computation: he waits for it, or will ask after it. */
export interface Ticket {
  readonly dataset: string
  /** Within the dataset. */
  readonly id: string
  readonly key: string
  readonly startMs: number
  /** Ids of the statements that were run for it so far. */
  readonly statements: readonly string[]
  readonly outcome: Outcome
}

/** `cancelled` is of this ticket; whoever else is interested gets his result. */
export type Outcome =
  | { readonly state: 'running' | 'cancelled' }
  | { readonly state: 'done'; readonly endMs: number }
  | { readonly state: 'failed'; readonly endMs: number; readonly error: unknown }

/** @param signal aborts when nobody is interested any more */
export type Work<T> = (signal: AbortSignal, onStatement: (id: string) => void) => Promise<T>

export interface Wanted<T> {
  readonly dataset: string
  readonly id: string
  /** What has the same key is computed once for all who want it meanwhile. */
  readonly key: string
  readonly work: Work<T>
}

/** Finished tickets that may still be asked after: so many, for so long. */
export const TICKETS_MAX = 2_000
export const TICKET_KEPT_MS = 30 * 60_000

export interface Computations<T> {
  /**
   * @returns what the work, or the same work of somebody before, gives; rejects with what it failed with, when `gone`
   *          aborts, and when the ticket is cancelled
   */
  wait(wanted: Wanted<T>, gone: AbortSignal): Promise<T>
  /**
   * Lets it be done when its turn comes. @throws ApiError 429 when too many of the dataset wait, 409 when the id is
   * that of another computation which is running
   */
  begin(wanted: Wanted<T>): Ticket
  ticket(dataset: string, id: string): Ticket | null
  /** @returns whether it was running; nothing is left of it in ClickHouse when nobody else wants it */
  cancel(dataset: string, id: string): boolean
}

interface Computation<T> {
  readonly statements: string[]
  readonly controller: AbortController
  readonly done: Promise<T>
  wanting: number
}

interface OpenTicket<T> extends Ticket {
  outcome: Outcome
  /** Monotonic ms. */
  readonly sinceMs: number
  readonly cancelled: AbortController
  readonly computation: Computation<T>
}

/** @param turns of those that nobody waits for; whoever waits has been let in already */
export function createComputations<T>(
  turns: Turns,
  clock: Pick<Clock, 'now' | 'monotonic'>,
): Computations<T> {
  const running = new Map<string, Computation<T>>()
  const tickets = new Map<string, OpenTicket<T>>()

  function start({ dataset, key, work }: Wanted<T>, inTurn: boolean): Computation<T> {
    const controller = new AbortController()
    const statements: string[] = []
    const run = async () => {
      controller.signal.throwIfAborted()
      return work(controller.signal, (id) => statements.push(id))
    }
    const begun = inTurn ? turns.take(dataset, run) : run()
    if (begun === null) throw tooManyWaiting()
    const done = begun.finally(() => {
      if (running.get(key) === computation) running.delete(key)
    })
    // Whoever wants it has a promise of his own; it may end when nobody does.
    done.catch(() => {})
    const computation: Computation<T> = { statements, controller, done, wanting: 0 }
    running.set(key, computation)
    return computation
  }

  function leave(key: string, computation: Computation<T>): void {
    computation.wanting--
    if (computation.wanting > 0) return
    if (running.get(key) === computation) running.delete(key)
    computation.controller.abort(cancelled())
  }

  function open(wanted: Wanted<T>, inTurn: boolean): OpenTicket<T> {
    const { dataset, id, key } = wanted
    const name = nameOf(dataset, id)
    if (tickets.get(name)?.outcome.state === 'running') throw idTaken()
    const computation = running.get(key) ?? start(wanted, inTurn)
    computation.wanting++
    const ticket: OpenTicket<T> = {
      dataset,
      id,
      key,
      startMs: clock.now(),
      sinceMs: clock.monotonic(),
      statements: computation.statements,
      outcome: { state: 'running' },
      cancelled: new AbortController(),
      computation,
    }
    forgetOld()
    tickets.delete(name)
    tickets.set(name, ticket)
    return ticket
  }

  /** Running ones are bounded by their turns and by the places of those who wait. */
  function forgetOld(): void {
    for (const [name, { sinceMs, outcome }] of tickets) {
      if (tickets.size < TICKETS_MAX && clock.monotonic() - sinceMs < TICKET_KEPT_MS) return
      if (outcome.state !== 'running') tickets.delete(name)
    }
  }

  return {
    async wait(wanted, gone) {
      const ticket = open(wanted, false)
      const ended = AbortSignal.any([gone, ticket.cancelled.signal])
      try {
        const result = await unlessAborted(ticket.computation.done, ended)
        if (result !== null) return result
        throw ended.reason
      } finally {
        if (ticket.outcome.state === 'running') leave(wanted.key, ticket.computation)
        tickets.delete(nameOf(wanted.dataset, wanted.id))
      }
    },
    begin(wanted) {
      const before = tickets.get(nameOf(wanted.dataset, wanted.id))
      if (before?.outcome.state === 'running' && before.key === wanted.key) return before
      const ticket = open(wanted, true)
      const end = (outcome: Outcome) => {
        if (ticket.outcome.state !== 'running') return
        ticket.outcome = outcome
        ticket.computation.wanting--
      }
      ticket.computation.done.then(
        () => end({ state: 'done', endMs: clock.now() }),
        (error: unknown) => end({ state: 'failed', endMs: clock.now(), error }),
      )
      return ticket
    },
    ticket: (dataset, id) => tickets.get(nameOf(dataset, id)) ?? null,
    cancel(dataset, id) {
      const ticket = tickets.get(nameOf(dataset, id))
      if (ticket?.outcome.state !== 'running') return false
      ticket.outcome = { state: 'cancelled' }
      ticket.cancelled.abort(cancelled())
      leave(ticket.key, ticket.computation)
      return true
    },
  }
}

function nameOf(dataset: string, id: string): string {
  return `${dataset}\0${id}`
}

function cancelled(): ApiError {
  return new ApiError(400, {
    type: 'invalid_request',
    code: 'query_cancelled',
    detail: 'This question was cancelled.',
    attr: null,
  })
}

function idTaken(): ApiError {
  return new ApiError(409, {
    type: 'invalid_request',
    code: 'conflict',
    detail: 'Another question with this client_query_id is running. Give each question an id of its own.',
    attr: 'client_query_id',
  })
}

function tooManyWaiting(): ApiError {
  return new ApiError(
    429,
    {
      type: 'throttled_error',
      code: 'throttled',
      detail:
        'Too many asynchronous questions of this dataset wait for their turn. Expected available in 5 seconds.',
      attr: null,
    },
    { 'retry-after': '5' },
  )
}
