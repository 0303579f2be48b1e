import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readKeyHolder } from '../../services/query-api/http/principal.ts'
import { DATASET_PATH, type DatasetRoute } from '../../services/query-api/http/route.ts'
import type { Correlation } from '../../services/query-api/insights/funnel-correlation.ts'
import { insightRoutes } from '../../services/query-api/insights/insights-routes.ts'
import type { PathEdge } from '../../services/query-api/insights/paths.ts'
import {
  forEachHistory,
  type InsightEngine,
  openInsightEngine,
  resultsOf,
} from '../helpers/insight-engine.ts'
import { HISTORIES, HISTORIES_MS, randomFilters, randomHistory, SEED } from '../helpers/random-histories.ts'
import { midnight } from '../reference/calendar.ts'
import { VALUES } from '../reference/expressions.ts'
import { EVENTS_ALONE, type History } from '../reference/history.ts'
import { type PathsAsked, pathsOf } from '../reference/paths.ts'

/** Every one asks for an insight and then for the people behind each of its numbers. */
const ASKED = Math.max(4, Math.ceil(HISTORIES / 30))
/** Numbers of one answer that are looked behind. */
const LOOKED_BEHIND = 4
const BASE = 'http://api.example/api/datasets/x'

let engine: InsightEngine
let routes: readonly DatasetRoute[]
beforeAll(async () => {
  engine = await openInsightEngine()
  routes = insightRoutes(engine.needs, resultsOf(engine))
})
afterAll(() => engine.close())

interface People {
  readonly results: readonly [
    {
      readonly people: readonly { readonly id: string; readonly value_at_data_point: number }[]
      readonly count: number
      readonly value: number
    },
  ]
  readonly next: string | null
  readonly missing_persons: number
}

/** Answers an address as the API does, once it is known who asks. */
async function answer(history: History, address: string, method: 'GET' | 'POST' = 'GET', body?: unknown) {
  const url = new URL(address, BASE)
  const path = url.pathname.replace(/^\/api\/datasets\/x/, DATASET_PATH)
  const route = routes.find((one) => one.path === path && one.method === method)
  if (route === undefined) throw new Error(`There is no route ${path}.`)
  const query = Object.fromEntries(url.searchParams)
  const { body: answered } = await route.answer({
    principal: readKeyHolder('a', 'x'),
    question: engine.questionOf(history),
    query,
    body,
    params: {},
    url,
    gone: new AbortController().signal,
  })
  return answered as { readonly result: unknown } & People
}

const ask = (history: History, insight: string, parameters: Record<string, unknown>) =>
  answer(history, `${BASE}/insights/${insight}`, 'POST', parameters)

function addressOf(parameters: Readonly<Record<string, unknown>>): URLSearchParams {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters))
    query.set(name, typeof value === 'string' ? value : JSON.stringify(value))
  return query
}

/** All people of a list, page by page, each once. */
async function everybody(history: History, address: string) {
  const people: { readonly id: string; readonly value_at_data_point: number }[] = []
  let next: string | null = `${address}&limit=3`
  while (next !== null) {
    const page: People = await answer(history, next)
    people.push(...page.results[0].people)
    next = page.next
  }
  expect(new Set(people.map(({ id }) => id)).size).toBe(people.length)
  return people
}

/** Some of the places of an answer: the largest numbers, and one that is 0 if there is one. */
function places(numbers: readonly number[]): number[] {
  const all = numbers.map((_, place) => place)
  const size = (place: number) => Math.abs(numbers[place] as number)
  const largest = all.filter((place) => size(place) > 0).sort((a, b) => size(b) - size(a))
  return [...largest.slice(0, LOOKED_BEHIND - 1), ...all.filter((place) => size(place) === 0).slice(0, 1)]
}

/** The list says how many there are and what they add up to, and its pages hold just them. */
async function behind(history: History, address: string) {
  const { results, missing_persons } = await answer(history, address)
  const [{ count, value }] = results
  const people = await everybody(history, address)
  expect(people.length).toBe(count)
  expect(people.reduce((sum, one) => sum + one.value_at_data_point, 0)).toBeCloseTo(value, 6)
  return { count, value, missing: missing_persons }
}

const common = fc.record({
  history: randomHistory(20),
  properties: randomFilters,
  breakdown: fc.constantFrom(null, 'plan'),
  limit: fc.constantFrom(1, 25),
  seed: fc.nat(),
})

function casesOf(prefix: string) {
  return fc.sample(common, { numRuns: ASKED, seed: SEED }).map((one, index) => ({
    ...one,
    history: { dataset: `${prefix}${index}`, ...one.history } satisfies History,
    range: { date_from: '2026-10-22', date_to: '2026-10-31', properties: one.properties },
    lines: one.breakdown === null ? {} : { breakdown: one.breakdown, breakdown_limit: one.limit },
    pick: <T>(choices: readonly T[]) => choices[one.seed % choices.length] as T,
  }))
}

async function check(prefix: string, one: (given: ReturnType<typeof casesOf>[number]) => Promise<void>) {
  const cases = casesOf(prefix)
  await engine.store(cases.map(({ history }) => history))
  await forEachHistory(cases, one)
}

const PERSON_MATHS = [
  'dau',
  'weekly_active',
  'monthly_active',
  'unique_group',
  'first_time_for_user',
  'first_matching_event_for_user',
]

test('behind every point of a trend are as many people as it says, or people who add up to it', {
  timeout: HISTORIES_MS,
}, async () => {
  await check('t', async ({ history, range, lines, pick }) => {
    const math = pick(['total', 'sum', ...PERSON_MATHS])
    const display = pick(['ActionsLineGraph', 'BoldNumber', 'ActionsLineGraph'])
    const { result } = await ask(history, 'trend', {
      ...range,
      ...lines,
      events: [{ id: null, math, math_property: 'amount', math_group_type_index: 0 }],
      interval: pick(['week', 'day']),
      display,
      compare: pick([true, false]),
    })
    for (const row of result as {
      data: number[]
      aggregated_value?: number
      persons_urls: { url: string }[]
    }[]) {
      const numbers = row.aggregated_value === undefined ? row.data : [row.aggregated_value]
      expect(row.persons_urls.length).toBe(numbers.length)
      for (const index of places(numbers)) {
        const number = numbers[index] as number
        const { count, value, missing } = await behind(history, row.persons_urls[index]!.url)
        if (PERSON_MATHS.includes(math))
          expect([count, row.persons_urls[index]!.url]).toEqual([number, row.persons_urls[index]!.url])
        else expect(value + missing).toBeCloseTo(number, 6)
      }
    }
  })
})

test('a session of several people is one of one of them: theirs add up to the sessions', {
  timeout: HISTORIES_MS,
}, async () => {
  let shared = 0
  await check('u', async ({ history, range, pick }) => {
    const { result } = await ask(history, 'trend', {
      ...range,
      events: [{ id: null, math: 'unique_session' }],
      interval: 'week',
      ...pick([{}, { display: 'ActionsLineGraphCumulative' }, { aggregation_group_type_index: 0 }]),
    })
    const [row] = result as { data: number[]; persons_urls: { url: string }[] }[]
    for (const [index, number] of row!.data.entries()) {
      const { count, value, missing } = await behind(history, row!.persons_urls[index]!.url)
      expect(value + missing).toBe(number)
      if (count > 1) shared++
    }
  })
  expect(shared).toBeGreaterThan(0)
})

/** Whoever takes so many minutes from one event to the other. */
const slow: History = {
  dataset: 'slow',
  zone: 'UTC',
  events: [1, 2, 3, 5, 8, 8, 9].flatMap((minutes, person) =>
    ['a', 'b'].map((event, index) => ({
      event,
      distinctId: `u${person}`,
      timeMs: Date.parse('2026-10-25T10:00:00Z') + index * minutes * 60_000,
      partition: 0,
      offset: 2 * person + index,
      session: null,
      groups: {},
      url: null,
      properties: {},
    })),
  ),
  ...EVENTS_ALONE,
}

test.each([
  ['funnel', { events: [{ id: 'a' }, { id: 'b' }], funnel_viz_type: 'time_to_convert' }],
  ['timing', { from_entity: 'a', to_entity: 'b' }],
])(
  'a bin of %s holds those whose time lies in it, and only starts of bins are asked for',
  async (insight, own) => {
    await engine.store([{ ...slow, dataset: `slow ${insight}` }])
    const history = { ...slow, dataset: `slow ${insight}` }
    const asked = { date_from: '2026-10-22', date_to: '2026-10-31', bin_count: 2, ...own }
    const { bins } = (await ask(history, insight, asked)).result as { bins: [number, number][] }
    expect(bins).toEqual([
      [60, 3],
      [300, 3],
      [540, 1],
    ])
    const at = (start: number) =>
      `${BASE}/persons/${insight}?${addressOf({ ...asked, bin_start: String(start) })}`
    const names = async (start: number) => (await answer(history, at(start))).results[0].people.length
    expect([await names(60), await names(300), await names(540)]).toEqual([3, 3, 1])
    for (const start of [0, 61, 780])
      await expect(answer(history, at(start))).rejects.toMatchObject({ body: { attr: 'bin_start' } })
  },
)

test('behind every step of a funnel, every drop-off and every point of its trend are as many people as it says', {
  timeout: HISTORIES_MS,
}, async () => {
  await check('f', async ({ history, range, lines, pick }) => {
    const funnel = {
      ...range,
      ...lines,
      events: [{ id: 'a' }, { id: 'b' }, { id: 'c' }],
      funnel_order_type: pick(['ordered', 'unordered', 'strict', 'ordered']),
      breakdown_attribution_type: pick(['first_touch', 'all_events', 'step']),
    }
    const { result } = await ask(history, 'funnel', funnel)
    const lists = (lines.breakdown === undefined ? [result] : result) as {
      count: number
      converted_people_url: string
      dropped_people_url: string | null
    }[][]
    for (const steps of lists)
      for (const [index, step] of steps.entries()) {
        expect((await behind(history, step.converted_people_url)).count).toBe(step.count)
        if (step.dropped_people_url === null) continue
        expect((await behind(history, step.dropped_people_url)).count).toBe(
          steps[index - 1]!.count - step.count,
        )
      }
    const { result: trends } = await ask(history, 'funnel', {
      ...funnel,
      funnel_viz_type: 'trends',
      interval: 'week',
    })
    for (const line of trends as {
      reached_from_step: number[]
      reached_to_step: number[]
      persons_urls: { url: string }[]
      dropped_persons_urls: { url: string }[]
    }[])
      for (const [index, { url }] of line.persons_urls.entries()) {
        const reached = line.reached_to_step[index] as number
        expect((await behind(history, url)).count).toBe(reached)
        const dropped = (line.reached_from_step[index] as number) - reached
        expect((await behind(history, line.dropped_persons_urls[index]!.url)).count).toBe(dropped)
      }
  })
})

test('behind every bin of times to convert are as many people as it says, and just so far as asked for', {
  timeout: HISTORIES_MS,
}, async () => {
  await check('b', async ({ history, range, lines, pick }) => {
    const funnel = { ...range, ...lines, events: [{ id: 'a' }, { id: 'b' }, { id: 'c' }] }
    const asked = { ...funnel, funnel_to_step: 1, bin_count: pick([1, 3, 'auto']) }
    const { result } = await ask(history, 'funnel', { ...asked, funnel_viz_type: 'time_to_convert' })
    const rows = (lines.breakdown === undefined ? [result] : result) as {
      bins: [number, number][]
      persons_urls: { url: string }[]
    }[]
    for (const { bins, persons_urls } of rows)
      for (const [index, [start, number]] of bins.entries())
        expect([start, (await behind(history, persons_urls[index]!.url)).count]).toEqual([start, number])
    if (lines.breakdown !== undefined) return
    const { result: steps } = await ask(history, 'funnel', funnel)
    const [first, second, third] = (steps as { count: number }[]).map(({ count }) => count) as number[]
    const exactly = async (...some: number[]) =>
      (await behind(history, `${BASE}/persons/funnel?${addressOf({ ...funnel, funnel_custom_steps: some })}`))
        .count
    expect(await exactly(2)).toBe(second! - third!)
    expect(await exactly(1, 3)).toBe(first! - second! + third!)
  })
})

test('behind both numbers of every row of a correlation are as many as it says, persons or groups', {
  timeout: HISTORIES_MS,
}, async () => {
  let numbers = 0
  await check('c', async ({ history, range, pick }) => {
    const { result } = await ask(history, 'funnel/correlation', {
      ...range,
      ...pick([{}, {}, { aggregation_group_type_index: 0 }]),
      events: [{ id: 'a' }, { id: 'b' }],
      ...pick([
        {},
        { funnel_correlation_type: 'properties', funnel_correlation_names: ['tier', 'size'] },
        { funnel_correlation_type: 'event_with_properties', funnel_correlation_event_names: ['c'] },
      ]),
    })
    for (const row of (result as { events: Correlation[] }).events) {
      expect((await behind(history, row.success_people_url ?? '')).count).toBe(row.success_count)
      expect((await behind(history, row.failure_people_url ?? '')).count).toBe(row.failure_count)
      numbers += row.success_count + row.failure_count
    }
  })
  expect(numbers).toBeGreaterThan(0)
})

test('behind every line of an expression are as many people as it says, in trends and funnels', {
  timeout: HISTORIES_MS,
}, async () => {
  await check('e', async ({ history, range, limit }) => {
    for (const breakdown of Object.keys(VALUES)) {
      const by = { ...range, breakdown, breakdown_type: 'hogql', breakdown_limit: limit }
      const trend = await ask(history, 'trend', {
        ...by,
        events: [{ id: null, math: 'dau' }],
        display: 'BoldNumber',
      })
      const funnel = await ask(history, 'funnel', { ...by, events: [{ id: 'a' }, { id: 'b' }] })
      const numbers = [
        ...(trend.result as { aggregated_value: number; persons_urls: [{ url: string }] }[]).map(
          ({ aggregated_value, persons_urls: [{ url }] }) => ({ number: aggregated_value, url }),
        ),
        ...(funnel.result as { count: number; converted_people_url: string }[][])
          .flat()
          .map(({ count, converted_people_url }) => ({ number: count, url: converted_people_url })),
      ]
      expect(numbers.some(({ number }) => number > 0)).toBe(true)
      for (const { number, url } of numbers) {
        const { results } = await answer(history, url)
        expect([url, results[0].count]).toEqual([url, number])
      }
    }
  })
})

test('the appearances of all people of a period add up to its row of a retention', {
  timeout: HISTORIES_MS,
}, async () => {
  await check('r', async ({ history, range, pick }) => {
    const { result } = await ask(history, 'retention', {
      ...range,
      target_entity: 'a',
      returning_entity: { id: pick(['a', 'b', null]) },
      total_intervals: 4,
      period: 'Day',
      retention_type: pick(['retention_recurring', 'retention_first_time']),
      time_window_mode: pick(['strict_calendar_dates', '24_hour_windows']),
    })
    for (const row of result as { values: { count: number }[]; people_url: string }[]) {
      const sums = row.values.map(() => 0)
      let next: string | null = `${row.people_url}&limit=2`
      while (next !== null) {
        const page = await answer(history, next)
        for (const { appearances } of page.result as { appearances: number[] }[])
          for (const [n, came] of appearances.entries()) sums[n]! += came
        next = page.next
      }
      expect(sums).toEqual(row.values.map(({ count }) => count))
    }
  })
})

test('behind every number of stickiness and lifecycle are as many people as it says', {
  timeout: HISTORIES_MS,
}, async () => {
  await check('s', async ({ history, range, pick }) => {
    const series = { ...range, events: [{ id: pick(['a', 'b', null]) }], interval: pick(['day', 'week']) }
    const sticky = await ask(history, 'stickiness', {
      ...series,
      events: [{ ...series.events[0], ...pick([{}, { math: 'unique_group', math_group_type_index: 0 }]) }],
      compare: pick([false, true]),
      computed_as: pick(['cumulative', 'non_cumulative']),
    })
    const living = await ask(history, 'lifecycle', series)
    for (const row of [...(sticky.result as []), ...(living.result as [])] as {
      data: number[]
      persons_urls: { url: string }[]
    }[])
      for (const index of places(row.data))
        expect((await behind(history, row.persons_urls[index]!.url)).count).toBe(
          Math.abs(row.data[index] as number),
        )
  })
})

test('the paths of the people behind an edge add up to its value', { timeout: HISTORIES_MS }, async () => {
  await check('p', async ({ history, range, pick }) => {
    const around = pick([
      {},
      {
        funnel_paths: 'funnel_path_before_step',
        funnel_filter: { events: [{ id: 'a' }, { id: 'b' }], funnel_step: 2 },
      },
      {
        funnel_paths: 'funnel_path_after_step',
        funnel_filter: { events: [{ id: 'a' }, { id: 'b' }], funnel_step: -2 },
      },
      { funnel_paths: 'funnel_path_between_steps', funnel_filter: { events: [{ id: 'a' }, { id: 'b' }] } },
    ])
    const asked = { ...range, ...around }
    const { result } = await ask(history, 'path', asked)
    const query = addressOf(asked)
    for (const { source, target, value } of (result as PathEdge[]).slice(0, LOOKED_BEHIND)) {
      query.set('path_start_key', source)
      query.set('path_end_key', target)
      expect((await behind(history, `${BASE}/persons/path?${query}`)).value).toBe(value)
    }
  })
})

test('behind a stop are those who went on from it, came to it, or went no further, and theirs are all paths', {
  timeout: HISTORIES_MS,
}, async () => {
  await check('k', async ({ history, range }) => {
    const asked: PathsAsked = {
      types: [],
      expression: null,
      custom: [],
      exclude: [],
      groupings: [],
      replacements: [],
      start: null,
      end: null,
      stepLimit: 3,
      edgeLimit: 50,
      minWeight: 1,
      maxWeight: null,
      fromMs: midnight('2026-10-22', history.zone),
      toMs: midnight('2026-11-01', history.zone),
      properties: range.properties,
      groupType: null,
      around: null,
    }
    const paths = pathsOf(history, asked).map(({ stops }) => stops.map(({ item }, at) => `${at + 1}_${item}`))
    const query = {
      date_from: range.date_from,
      date_to: range.date_to,
      properties: range.properties,
      step_limit: 3,
    }
    for (const stop of [...new Set(paths.flat())].slice(0, LOOKED_BEHIND)) {
      const value = async (key: string) =>
        (await behind(history, `${BASE}/persons/path?${addressOf({ ...query, [key]: stop })}`)).value
      const count = (holds: (path: string[]) => boolean) => paths.filter(holds).length
      expect([
        await value('path_start_key'),
        await value('path_end_key'),
        await value('path_dropoff_key'),
      ]).toEqual([
        count((path) => path.includes(stop) && path.at(-1) !== stop),
        count((path) => path.includes(stop)),
        count((path) => path.at(-1) === stop),
      ])
    }
  })
})

test('the pairs of the people behind a distribution of times are as many as it has', {
  timeout: HISTORIES_MS,
}, async () => {
  await check('w', async ({ history, range, lines }) => {
    const asked = { ...range, ...lines, from_entity: 'a', to_entity: 'b', bin_count: 3 }
    const { result } = await ask(history, 'timing', asked)
    const rows = (lines.breakdown === undefined ? [result] : result) as {
      count: number
      breakdown_value?: string
      bins: [number, number][]
    }[]
    for (const { count, breakdown_value, bins } of rows) {
      const line =
        breakdown_value === undefined
          ? {}
          : breakdown_value === 'Other'
            ? { breakdown_other: 'true' }
            : { breakdown_value }
      const query = addressOf({ ...asked, ...line })
      expect((await behind(history, `${BASE}/persons/timing?${query}`)).value).toBe(count)
      for (const [start, pairs] of bins) {
        query.set('bin_start', String(start))
        expect((await behind(history, `${BASE}/persons/timing?${query}`)).value).toBe(pairs)
      }
    }
  })
})
