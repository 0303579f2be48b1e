import { vi } from 'vitest'
import { personIdOf } from '../../services/core/event/person-id.ts'
import type { Happening, History } from '../reference/history.ts'
import { NOW_MS, type recordingEnvironment } from '../services/query-api/recording-environment.ts'
import type { RequestNames } from './random-filters.ts'
import { HOSTILE } from './random-sql.ts'
import { rrweb, type SentRecording } from './recording-chunks.ts'

/** The dataset that is asked about; it stands on the list of those without rate limits. */
export const OWN = 'free'
export const OTHER = 'blog'
/** Stands in everything that the other dataset holds and no request names. */
export const MARK = 'blogmark'
/** Every number of the other dataset begins with these digits, which no hash has by chance. */
export const MARK_NUMBER = 770_770_770_770_000
const START_MS = NOW_MS - 30 * 3_600_000
const MINUTE_MS = 60_000

/**
 * What happened in one of them. Ids, sessions and groups are the same in both, so that whatever is told apart by them alone is
 * mixed up; the other one has some of its own besides.
 */
export function historyOf(dataset: string): History {
  const isOwn = dataset === OWN
  const mark = isOwn ? '' : MARK
  const hostile = Object.fromEntries(HOSTILE.map((name, n) => [name, `${mark}${n}`]))
  const own = <T>(n: number, names: readonly T[], foreign: T) =>
    !isOwn && n % 4 === 3 ? foreign : (names[n % names.length] as T)
  const number = (n: number) => (isOwn ? n : MARK_NUMBER + n)
  return {
    dataset,
    zone: 'UTC',
    events: Array.from({ length: 40 }, (_, n): Happening => {
      const event = own(n, ['view', 'buy', '$pageview', 'view', '$autocapture'], 'blogevent')
      return {
        event,
        distinctId: n % 9 === 8 ? null : own(n, ['u0', 'u1', 'u2', 'anonymous'], 'bloguser'),
        timeMs: START_MS + n * 43 * MINUTE_MS - (isOwn ? 0 : 86_400_000 * (n % 3)),
        partition: 0,
        offset: n,
        session: own(n >> 2, ['s0', 's1', 's2'], 'blogsession'),
        groups: { company: own(n, ['acme', 'globex'], 'bloggroup'), [`team${mark}`]: `t${mark}` },
        url: `https://${mark}x.example/${n % 4}`,
        properties: {
          of: `${dataset}${mark}`,
          plan: `${mark}${n % 2 === 0 ? 'pro' : 'free'}`,
          amount: number(n),
          $browser: `Firefox${mark}`,
          $elements: [{ tag_name: 'a', $el_text: `go${mark}`, attr__href: `/${mark}` }],
          ...(isOwn ? {} : { blogproperty: MARK, [MARK]: MARK }),
          ...(n % 5 === 0 ? hostile : {}),
        },
      }
    }),
    overrides: [{ id: 'u1', person: isOwn ? 'u0' : 'u2', version: 2 }],
    persons: ['u0', 'u2', ...(isOwn ? [] : ['bloguser'])].map((person, n) => ({
      person,
      createdMs: START_MS + n * MINUTE_MS,
      validFromMs: START_MS - 1,
      properties: {
        plan: `pro${mark}`,
        name: `${person}${mark}`,
        email: `${person}@${mark}x.example`,
        amount: number(n),
        ...hostile,
      },
      isDeleted: false,
      version: 1,
    })),
    groupTypes: [
      { name: 'company', index: 0 },
      { name: `team${mark}`, index: 1 },
    ],
    groups: ['acme', 'globex', ...(isOwn ? [] : ['bloggroup'])].map((key, n) => ({
      index: 0,
      key,
      properties: { name: `${key}${mark}`, plan: mark, amount: number(n), ...hostile },
      version: 1,
    })),
  }
}

/** Distinct ids of persons, and an event that was refused. */
export function rowsBeside(dataset: string): Readonly<Record<string, readonly object[]>> {
  const isOwn = dataset === OWN
  const ids = [
    ['u0', 'u0'],
    ['u1', isOwn ? 'u0' : 'u2'],
    ['u2', 'u2'],
    ...(isOwn ? [] : [['bloguser', 'bloguser']]),
  ]
  const version = 1
  return {
    person_distinct_ids: ids.map(([distinct_id, person_key]) => ({
      dataset_id: dataset,
      distinct_id,
      person_key,
      is_deleted: false,
      version,
    })),
    rejected_events: [
      {
        schema_version: 1,
        event_id: `${OWN} 1`,
        dataset_id: dataset,
        event: isOwn ? 'view' : MARK,
        distinct_id: isOwn ? 'u0' : MARK,
        collector_time: new Date(START_MS).toISOString(),
        stage: 'enricher',
        code: 'schema',
        detail: isOwn ? '' : MARK,
        protocol: 'native',
        src_partition: 0,
        src_offset: 1,
        recipe: 'r',
      },
    ],
  }
}

/** Recordings of the same sessions, one of which the other dataset has deleted. */
export function recordingsOf(dataset: string): readonly SentRecording[] {
  const mark = dataset === OWN ? '' : MARK
  const at = START_MS + 20 * 3_600_000
  return [
    ...['s0', 's1', 's2'].map((session, n) => ({
      id: `${session}1`,
      dataset,
      session,
      person: `u${n}`,
      events: [
        rrweb.page(at + n * MINUTE_MS, `https://${mark}x.example/${n}`),
        rrweb.click(at + n * MINUTE_MS + 5_000),
        rrweb.console(at + n * MINUTE_MS + 9_000, 'error'),
      ],
    })),
    ...(mark === ''
      ? []
      : [
          {
            id: 'b',
            dataset,
            session: 'blogsession',
            person: 'bloguser',
            events: [rrweb.page(at, `https://${MARK}/`)],
          },
        ]),
  ]
}

type Api = Pick<ReturnType<typeof recordingEnvironment>, 'personalKey' | 'send' | 'pipeline'>

const behaviour = (value: string, more: object = {}) => ({
  type: 'behavioral',
  value,
  key: 'view',
  event_type: 'events',
  time_value: 30,
  time_interval: 'day',
  ...more,
})
const then = { seq_time_value: 1, seq_time_interval: 'day' }
/** Of every kind. */
const CRITERIA: readonly object[] = [
  { type: 'person', key: 'plan', operator: 'icontains', value: 'pro' },
  behaviour('performed_event', {
    event_filters: [{ type: 'element', key: 'text', value: 'x', operator: 'is_not' }],
  }),
  behaviour('performed_event_multiple', { operator: 'gte', operator_value: 2 }),
  behaviour('performed_event_first_time'),
  behaviour('performed_event_sequence', { ...then, seq_event: 'buy', seq_event_type: 'events' }),
  behaviour('performed_event_regularly', { time_value: 1, min_periods: 1, total_periods: 3 }),
  behaviour('stopped_performing_event', then),
  behaviour('restarted_performing_event', then),
]

/**
 * Saves what requests refer to: cohorts of every kind, which are calculated, actions and insights.
 *
 * @returns what requests are made of, and the key that they are made with
 */
export async function saveNamed(
  api: Api,
  dataset: string,
  texts: readonly string[],
): Promise<{ readonly key: string; readonly names: RequestNames }> {
  const key = await api.personalKey(['*'], [dataset])
  const post = async (path: string, body: object): Promise<number> => {
    const { status, body: made } = await api.send('POST', `/api/datasets/${dataset}/${path}`, key, body)
    if (status !== 201) throw new Error(`${path}: ${status} ${JSON.stringify(made)}`)
    return made.id
  }
  const mark = dataset === OWN ? '' : MARK
  const cohorts: number[] = []
  for (const [n, one] of CRITERIA.entries())
    cohorts.push(
      await post('cohorts', {
        name: `cohort ${n}${mark}`,
        filters: { properties: { type: 'AND', values: [one] } },
      }),
    )
  const actions = [
    await post('actions', {
      name: `bought${mark}`,
      steps: [{ event: 'buy' }, { event: '$autocapture', tag_name: 'a', text: 'go' }],
    }),
    await post('actions', {
      name: `viewed${mark}`,
      steps: [
        { event: 'view', url: 'x.example', properties: [{ type: 'person', key: 'plan', value: ['pro'] }] },
      ],
    }),
  ]
  const events = [{ id: 'view' }, { id: 'buy' }]
  const insights: number[] = []
  for (const insight of ['TRENDS', 'FUNNELS', 'RETENTION', 'PATHS', 'STICKINESS', 'LIFECYCLE'])
    insights.push(
      await post('insights', {
        name: `${insight}${mark}`,
        filters: {
          insight,
          ...(insight === 'RETENTION' || insight === 'PATHS'
            ? {}
            : { events: insight === 'LIFECYCLE' ? [{ id: 'view' }] : events }),
          properties: [{ type: 'cohort', key: 'id', value: cohorts[0] }],
        },
      }),
    )
  await calculated(api, dataset, key)
  const persons = [
    personIdOf(dataset, 'u0'),
    personIdOf(dataset, 'u2'),
    personIdOf(OTHER, 'u0'),
    personIdOf(OTHER, 'bloguser'),
  ]
  return { key, names: { texts, cohorts, actions, insights, persons } }
}

async function calculated({ pipeline, send }: Api, dataset: string, key: string): Promise<void> {
  const stopping = new AbortController()
  const job = pipeline.calculateCohorts(stopping.signal)
  const areCalculated = async () => {
    const { body } = await send('GET', `/api/datasets/${dataset}/cohorts`, key)
    return body.results.every((one: { is_calculating: boolean }) => !one.is_calculating)
  }
  await vi.waitUntil(areCalculated, { timeout: 120_000 })
  stopping.abort()
  await job
}
