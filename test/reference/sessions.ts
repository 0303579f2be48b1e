import { type History, inOrder } from './history.ts'

const DAY_MS = 86_400_000

/** A property of a session, over its events about the range of the question. */
export function sessionProperty(history: History, session: string, key: string): unknown {
  const { fromMs, toMs } = history.askedRange ?? {
    fromMs: Number.NEGATIVE_INFINITY,
    toMs: Number.POSITIVE_INFINITY,
  }
  const events = inOrder(
    history.events.filter(
      (event) => event.session === session && event.timeMs >= fromMs - DAY_MS && event.timeMs < toMs + DAY_MS,
    ),
  )
  if (events.length === 0) return undefined
  const times = events.map(({ timeMs }) => timeMs)
  const seconds = (Math.max(...times) - Math.min(...times)) / 1000
  const pageViews = events.filter(({ event }) => event === '$pageview').length
  switch (key) {
    case '$session_duration':
      return seconds
    case '$pageview_count':
      return pageViews
    case '$entry_current_url':
      return events.find(({ url }) => url !== null)?.url ?? undefined
    case '$exit_current_url':
      return events.findLast(({ url }) => url !== null)?.url ?? undefined
    case '$is_bounce':
      return String(pageViews === 1 && seconds < 10)
    default:
      throw new Error(`The reference has no session property ${key}.`)
  }
}
