import type { Post } from '../ingest/http-post.ts'
import { countEvent } from './reconcile.ts'

/** What the collector acknowledged, read from its own verdicts as they arrived: the left side of every equation. */
export interface Acknowledged {
  /** How often each event was acknowledged; every repetition counts. */
  readonly events: ReadonlyMap<string, number>
  /** The same sending door, watched. */
  readonly post: Post
}

/** @param datasetOfKey the dataset of each write key */
export function watchAcknowledged(post: Post, datasetOfKey: ReadonlyMap<string, string>): Acknowledged {
  const events = new Map<string, number>()
  return {
    events,
    post: async (body, headers) => {
      const answer = await post(body, headers)
      if (answer.status >= 200 && answer.status < 300) {
        const dataset = datasetOfKey.get(headers.authorization?.replace(/^Bearer /, '') ?? '')
        if (dataset === undefined)
          throw new Error('A request was acknowledged for a key that nobody gave out.')
        const { results } = JSON.parse(answer.body) as { results: readonly { event_id: string }[] }
        for (const { event_id } of results) countEvent(events, dataset, event_id)
      }
      return answer
    },
  }
}
