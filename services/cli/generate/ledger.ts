import type { BatchOutcome } from '../ingest/send-batch.ts'
import type { TrafficRequest } from './traffic.ts'

/**
 * What was sent for one dataset and what the collector said. Counts are events unless the name says otherwise.
 * The pipeline's duty: `accepted + rejected` events lie in `events.enriched` or `events.rejected`, each once;
 * `unknown` ones zero or one time; `refused` ones nowhere.
 */
export interface DatasetLedger {
  /** Made and sent at least once, repetitions not counted. `accepted + rejected + refused + unknown`. */
  sent: number
  accepted: number
  rejected: number
  rejected_by_code: Record<string, number>
  refused: number
  unknown: number
  /** Distinct event ids that the client gave to acknowledged events. */
  unique_ids: number
  /** Copies of acknowledged events that were acknowledged again: each of them is a duplicate to remove. */
  retried: number
  /** Copies sent because a try was not answered: each of them may be a duplicate to remove. */
  resent: number
  /** Of the acknowledged events, those that the pipeline must refuse somewhere, by code. */
  expected_rejected: Record<string, number>
  requests: { acknowledged: number; refused: number; unknown: number; told_to_wait: number }
  /** The first few answers that were not a clean acknowledgement. */
  problems: string[]
}

const PROBLEMS_KEPT = 5

export interface Ledger {
  readonly datasets: Record<string, DatasetLedger>
  /** Books the first sending of a request. */
  sent(request: TrafficRequest, outcome: BatchOutcome): void
  /** Books the repetition of an acknowledged request. */
  repeated(request: TrafficRequest, outcome: BatchOutcome): void
  totals(): {
    sent: number
    acknowledged: number
    rejected: number
    refused: number
    unknown: number
    retried: number
  }
}

export function createLedger(datasets: readonly string[]): Ledger {
  const books: Record<string, DatasetLedger> = Object.fromEntries(datasets.map((id) => [id, emptyLedger()]))
  const bookOf = (request: TrafficRequest) => books[request.dataset]!

  function tries(book: DatasetLedger, request: TrafficRequest, outcome: BatchOutcome): void {
    book.requests[outcome.kind]++
    book.requests.told_to_wait += outcome.triesNotTaken
    book.resent += request.events * outcome.triesUnknown
    if (outcome.detail !== '' && book.problems.length < PROBLEMS_KEPT) book.problems.push(outcome.detail)
  }
  return {
    datasets: books,
    sent(request, outcome) {
      const book = bookOf(request)
      book.sent += request.events
      tries(book, request, outcome)
      if (outcome.kind !== 'acknowledged') {
        book[outcome.kind] += request.events
        return
      }
      book.accepted += outcome.accepted
      book.rejected += request.events - outcome.accepted
      book.unique_ids += request.ids
      addAll(book.rejected_by_code, outcome.rejected)
      addAll(book.expected_rejected, request.expectedRejected)
    },
    repeated(request, outcome) {
      const book = bookOf(request)
      tries(book, request, outcome)
      if (outcome.kind === 'acknowledged') book.retried += request.events
    },
    totals() {
      const sum = { sent: 0, acknowledged: 0, rejected: 0, refused: 0, unknown: 0, retried: 0 }
      for (const book of Object.values(books)) {
        sum.sent += book.sent
        sum.acknowledged += book.accepted + book.rejected
        sum.rejected += book.rejected
        sum.refused += book.refused
        sum.unknown += book.unknown
        sum.retried += book.retried
      }
      return sum
    },
  }
}

function emptyLedger(): DatasetLedger {
  return {
    sent: 0,
    accepted: 0,
    rejected: 0,
    rejected_by_code: {},
    refused: 0,
    unknown: 0,
    unique_ids: 0,
    retried: 0,
    resent: 0,
    expected_rejected: {},
    requests: { acknowledged: 0, refused: 0, unknown: 0, told_to_wait: 0 },
    problems: [],
  }
}

function addAll(sums: Record<string, number>, counts: Readonly<Record<string, number>>): void {
  for (const [code, count] of Object.entries(counts)) sums[code] = (sums[code] ?? 0) + count
}
