import type { Post } from '../ingest/http-post.ts'
import { countEvent } from './reconcile.ts'

/** What the sample's conditions look at, as it was sent. */
export interface SentEvent {
  readonly dataset: string
  readonly name: unknown
  readonly amount: unknown
  /** Its user agent says itself that it is a program. */
  readonly isBot: boolean
}

/** What the collector acknowledged, read from its own verdicts as they arrived: the left side of every equation. */
export interface Acknowledged {
  /** How often each event was acknowledged; every repetition counts. */
  readonly events: ReadonlyMap<string, number>
  readonly sent: ReadonlyMap<string, SentEvent>
  /** The same sending door, watched. */
  readonly post: Post
}

/** @param datasetOfKey the dataset of each write key */
export function watchAcknowledged(post: Post, datasetOfKey: ReadonlyMap<string, string>): Acknowledged {
  const events = new Map<string, number>()
  const sent = new Map<string, SentEvent>()
  return {
    events,
    sent,
    post: async (body, headers) => {
      const answer = await post(body, headers)
      if (answer.status >= 200 && answer.status < 300) {
        const dataset = datasetOfKey.get(headers.authorization?.replace(/^Bearer /, '') ?? '')
        if (dataset === undefined)
          throw new Error('A request was acknowledged for a key that nobody gave out.')
        const { results } = JSON.parse(answer.body) as { results: readonly { event_id: string }[] }
        const { batch } = JSON.parse(body) as { batch: readonly unknown[] }
        for (const [index, { event_id }] of results.entries()) {
          countEvent(events, dataset, event_id)
          // Another payload under a known id is refused.
          const event = `${dataset}/${event_id}`
          if (!sent.has(event)) sent.set(event, sentEvent(dataset, batch[index]))
        }
      }
      return answer
    },
  }
}

function sentEvent(dataset: string, event: unknown): SentEvent {
  const {
    event: name,
    properties,
    context,
  } = event as {
    event?: unknown
    properties?: { amount?: unknown }
    context?: { userAgent?: unknown }
  }
  return { dataset, name, amount: properties?.amount, isBot: /bot|^curl/i.test(String(context?.userAgent)) }
}
