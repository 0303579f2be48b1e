/** One question as a client asks it. */
export interface AnalyticsQuestion {
  readonly name: string
  /** Below the dataset. */
  readonly path: string
  readonly query: Readonly<Record<string, string>>
  /** What 95 of 100 answers should not take longer than, with 10 million events of 200,000 people on two cores. */
  readonly targetMs: number
}

const DAYS = 90
const DAY_MS = 86_400_000
const list = (...names: readonly string[]) => JSON.stringify(names.map((id) => ({ id })))

/**
 * What a dashboard asks, about everything that is stored: the events of 90 days.
 *
 * @param endMs where the events end, epoch ms
 */
export function analyticsQuestions(endMs: number): readonly AnalyticsQuestion[] {
  const insight = {
    // Computed each time: what is kept of the one before is another measurement.
    refresh: 'true',
    date_to: new Date(endMs).toISOString(),
  }
  const range = { ...insight, date_from: new Date(endMs - DAYS * DAY_MS).toISOString() }
  const trend = (name: string, more: Readonly<Record<string, string>>): AnalyticsQuestion => ({
    name: `trend of 90 days, ${name}`,
    path: 'insights/trend',
    query: { ...range, interval: 'day', ...more },
    targetMs: 500,
  })
  const isPro = JSON.stringify([{ key: 'plan', value: ['pro'], operator: 'exact', type: 'event' }])
  return [
    trend('events', { events: list('page_view') }),
    trend('people', { events: JSON.stringify([{ id: 'page_view', math: 'dau' }]) }),
    trend('events with a property', { events: list('page_view'), properties: isPro }),
    trend('events by a property', { events: list('page_view'), breakdown: 'plan' }),
    {
      name: 'funnel of three steps',
      path: 'insights/funnel',
      query: { ...range, events: list('product_view', 'add_to_cart', 'purchase') },
      targetMs: 1_500,
    },
    {
      name: 'retention by week',
      path: 'insights/retention',
      query: {
        ...insight,
        period: 'Week',
        total_intervals: '12',
        target_entity: 'page_view',
        returning_entity: 'page_view',
      },
      targetMs: 2_000,
    },
    { name: 'paths', path: 'insights/path', query: range, targetMs: 3_000 },
    { name: 'list of persons', path: 'persons', query: { limit: '100' }, targetMs: 300 },
    { name: 'page of events', path: 'events', query: { limit: '100' }, targetMs: 200 },
    {
      name: 'page of events of a name, long ago',
      path: 'events',
      query: { limit: '100', event: 'purchase', before: new Date(endMs - 45 * DAY_MS).toISOString() },
      targetMs: 200,
    },
  ]
}
