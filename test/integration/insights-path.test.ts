import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { readPathRequest } from '../../services/query-api/insights/path-request.ts'
import { paths } from '../../services/query-api/insights/paths.ts'
import { forEachHistory, type InsightEngine, openInsightEngine } from '../helpers/insight-engine.ts'
import {
  FIRST_DAY_MS,
  HISTORIES,
  HISTORIES_MS,
  randomFilters,
  randomHistory,
  rareExpression,
  SEED,
} from '../helpers/random-histories.ts'
import { addDays, midnight } from '../reference/calendar.ts'
import { EVENTS_ALONE, type History } from '../reference/history.ts'
import { edgesOf, type PathsAsked } from '../reference/paths.ts'

let engine: InsightEngine
beforeAll(async () => {
  engine = await openInsightEngine()
})
afterAll(() => engine.close())

const point = fc.constantFrom(
  null,
  null,
  null,
  'a',
  'b',
  'https://x.example/a',
  'https://x.example/c/*',
  'many',
  's1',
)

const asked = fc.record({
  history: randomHistory(30),
  fromDay: fc.integer({ min: 0, max: 7 }),
  days: fc.integer({ min: 3, max: 14 }),
  types: fc.subarray(['$pageview', '$screen', 'custom_event'] as const),
  expression: rareExpression,
  custom: fc.constantFrom([], [], ['a'], ['b', '$pageview']),
  exclude: fc.constantFrom([], [], ['c'], ['https://x.example/c*']),
  groupings: fc.constantFrom([], [], ['https://x.example/c/*'], ['a', 'https://*']),
  replacements: fc.constantFrom(
    [],
    [],
    [{ regex: '[ab]', alias: 'x$&' }],
    [{ regex: '/c/\\d', alias: '/c/:id' }],
  ),
  start: point,
  end: point,
  stepLimit: fc.constantFrom(3, 4, 5, 8),
  edgeLimit: fc.constantFrom(3, 50),
  minWeight: fc.constantFrom(1, 1, 2),
  maxWeight: fc.constantFrom(null, null, 1, 3),
  properties: randomFilters,
  groupType: fc.constantFrom(null, null, null, 0),
  around: fc.option(
    fc.record({
      side: fc.constantFrom('before_step', 'between_steps', 'after_step'),
      steps: fc.constantFrom([{ id: 'a' }, { id: 'b' }], [{ id: null }, { id: 'a' }, { id: '$pageview' }]),
      step: fc.constantFrom(1, 2, 2, -2),
    }),
    { freq: 1 },
  ),
})

test(`of ${HISTORIES} random histories the paths are what following each actor makes of them`, {
  timeout: HISTORIES_MS,
}, async () => {
  const cases = fc.sample(asked, { numRuns: HISTORIES, seed: SEED }).map((one, index) => {
    const history: History = { dataset: `d${index}`, ...one.history }
    const day = addDays(new Date(FIRST_DAY_MS).toISOString().slice(0, 10), one.fromDay)
    // Between steps needs one after the first, and those who dropped before the second have reached no other.
    const around =
      one.around === null || one.around.side !== 'between_steps' ? one.around : { ...one.around, step: 2 }
    const question: PathsAsked = {
      ...one,
      around: around as PathsAsked['around'],
      fromMs: midnight(day, history.zone),
      toMs: midnight(addDays(day, one.days), history.zone),
    }
    const query: Record<string, string> = {
      date_from: day,
      date_to: addDays(day, one.days - 1),
      include_event_types: JSON.stringify([...one.types, ...(one.expression === null ? [] : ['hogql'])]),
      ...(one.expression === null ? {} : { paths_hogql_expression: one.expression }),
      include_custom_events: JSON.stringify(one.custom),
      exclude_events: JSON.stringify(one.exclude),
      path_groupings: JSON.stringify(one.groupings),
      local_path_cleaning_filters: JSON.stringify(one.replacements),
      step_limit: String(one.stepLimit),
      edge_limit: String(one.edgeLimit),
      min_edge_weight: String(one.minWeight),
      properties: JSON.stringify(one.properties),
      ...(around === null
        ? {}
        : {
            funnel_paths: `funnel_path_${around.side}`,
            funnel_filter: JSON.stringify({ events: around.steps, funnel_step: around.step }),
          }),
      ...(one.start === null ? {} : { start_point: one.start }),
      ...(one.end === null ? {} : { end_point: one.end }),
      ...(one.maxWeight === null ? {} : { max_edge_weight: String(one.maxWeight) }),
      ...(one.groupType === null ? {} : { aggregation_group_type_index: String(one.groupType) }),
    }
    return { history, question, query }
  })
  await engine.store(cases.map(({ history }) => history))
  await forEachHistory(cases, async ({ history, question, query }) => {
    const found = await paths(engine.needs, engine.questionOf(history), readPathRequest(query))
    const expected = edgesOf(history, question).map(({ average, ...edge }) => ({
      ...edge,
      average_conversion_time: average,
    }))
    expect({ edges: found, query }).toEqual({ edges: expected, query })
  })
})

test('around a step of a funnel its own event counts, before, between and after', async () => {
  const history: History = {
    dataset: 'around',
    zone: 'UTC',
    events: ['early', 'a', 'middle', 'b', 'late'].map((event, offset) => ({
      event,
      distinctId: 'u1',
      timeMs: FIRST_DAY_MS + offset,
      partition: 0,
      offset,
      session: null,
      groups: {},
      url: null,
      properties: {},
    })),
    ...EVENTS_ALONE,
  }
  await engine.store([history])
  const stops = async (side: string, step: number) => {
    const query = readPathRequest({
      date_from: '2026-10-18',
      date_to: '2026-10-18',
      funnel_paths: `funnel_path_${side}`,
      funnel_filter: JSON.stringify({ events: [{ id: 'a' }, { id: 'b' }, { id: 'c' }], funnel_step: step }),
    })
    const edges = await paths(engine.needs, engine.questionOf(history), query)
    return [edges[0]?.source, ...edges.map(({ target }) => target)]
  }
  expect(await stops('before_step', 2)).toEqual(['1_early', '2_a', '3_middle', '4_b'])
  expect(await stops('between_steps', 2)).toEqual(['1_a', '2_middle', '3_b'])
  expect(await stops('after_step', 2)).toEqual(['1_b', '2_late'])
  // Who dropped before the third step was at the second one.
  expect(await stops('after_step', -3)).toEqual(['1_b', '2_late'])
  expect(await stops('after_step', 3)).toEqual([undefined])
})

test('an expression alone calls all events, beside types only theirs', async () => {
  const names = ['$click', 'a', '$pageview', 'b', '$screen']
  const history: History = {
    dataset: 'named',
    zone: 'UTC',
    events: names.map((event, offset) => ({
      event,
      distinctId: 'u1',
      timeMs: FIRST_DAY_MS + offset,
      partition: 0,
      offset,
      session: null,
      groups: {},
      url: 'https://x.example/',
      properties: {},
    })),
    ...EVENTS_ALONE,
  }
  await engine.store([history])
  const stops = async (...types: string[]) => {
    const query = readPathRequest({
      date_from: '2026-10-18',
      date_to: '2026-10-18',
      include_event_types: JSON.stringify([...types, 'hogql']),
      paths_hogql_expression: "concat(upper(event), '/')",
      start_point: types.length === 0 ? '$CLICK/' : 'A/',
    })
    const edges = await paths(engine.needs, engine.questionOf(history), query)
    return [edges[0]?.source, ...edges.map(({ target }) => target)]
  }
  expect(await stops()).toEqual(['1_$CLICK/', '2_A/', '3_$PAGEVIEW/', '4_B/', '5_$SCREEN/'])
  expect(await stops('custom_event', '$screen')).toEqual(['1_A/', '2_B/', '3_$SCREEN/'])
})
