import { Type } from '@sinclair/typebox'
import { PERSON_CHANGES } from '../../../schemas/person/v1.ts'
import { invalidInput } from '../http/api-error.ts'
import { nextAddress } from '../http/next-address.ts'
import { choiceDeclared, countDeclared, textDeclared } from '../http/parameter-declarations.ts'
import { countParameter, type RawQuery, refuseUnknown, textParameter } from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetRoute, pathParameter } from '../http/route.ts'
import type { InsightNeeds } from '../insights/frame.ts'
import { findPerson, findPersonEver } from './find-persons.ts'
import { ACTIVITY_SCHEMA, type ActivityPage, activityOf, activityOfAll } from './person-activity.ts'
import { EXAMPLE_PERSON } from './person-examples.ts'
import { propertiesTimeline, readTimelineRequest, TIMELINE_PARAMETERS } from './properties-timeline.ts'

const PATH = `${DATASET_PATH}/persons`
const ACTIVITY_LIMITS = { default: 10, max: 100 } as const

const PAGE_PARAMETERS = {
  limit: countDeclared('Changes per page.', ACTIVITY_LIMITS.default, ACTIVITY_LIMITS.max),
  cursor: textDeclared('Where the page begins, as `next` has it.'),
}
const ALL_PARAMETERS = {
  activity: choiceDeclared('Only changes of this kind.', PERSON_CHANGES),
  ...PAGE_PARAMETERS,
}

/** What became of persons, and why. */
export function activityRoutes(needs: InsightNeeds): DatasetRoute[] {
  const { ask, clock } = needs
  const common = {
    about: 'dataset',
    method: 'GET',
    tag: 'persons',
    access: { object: 'person', action: 'read' },
    limit: 'persons',
  } as const
  const list = {
    status: 200,
    description: 'A page, the newest first.',
    schema: Type.Object({
      next: Type.Union([Type.String(), Type.Null()]),
      previous: Type.Null(),
      results: Type.Array(ACTIVITY_SCHEMA),
    }),
  } as const
  const answerOf = (url: URL, { results, next }: Awaited<ReturnType<typeof activityOf>>) => ({
    body: { next: next === null ? null : nextAddress(url, String(next)), previous: null, results },
  })
  return [
    {
      ...common,
      path: `${PATH}/activity`,
      summary: 'What happened to persons, and why: merges, splits, refusals, changes by calls.',
      parameters: ALL_PARAMETERS,
      success: list,
      example: {
        params: { dataset: 'shop' },
        query: { activity: 'merge_refused' },
        answer: { next: null, previous: null, results: [EXAMPLE_REFUSAL] },
      },
      async answer({ question, query, url }) {
        refuseUnknown(query, Object.keys(ALL_PARAMETERS))
        return answerOf(url, await activityOfAll(ask, question, readActivity(query), readPage(query)))
      },
    },
    {
      ...common,
      path: `${PATH}/:id/activity`,
      summary: 'What happened to one person, also to one that was merged or deleted.',
      parameters: PAGE_PARAMETERS,
      success: list,
      example: {
        params: { dataset: 'shop', id: EXAMPLE_PERSON.id },
        answer: { next: null, previous: null, results: [EXAMPLE_MERGE] },
      },
      async answer(call) {
        refuseUnknown(call.query, Object.keys(PAGE_PARAMETERS))
        const page = readPage(call.query)
        const key = await findPersonEver(ask, call.question, pathParameter(call, 'id'))
        return answerOf(call.url, await activityOf(ask, call.question, key, page))
      },
    },
    {
      ...common,
      path: `${PATH}/:id/properties_timeline`,
      summary: 'What one person was like over time, and what it is like now.',
      parameters: TIMELINE_PARAMETERS,
      success: {
        status: 200,
        description: 'A point for the beginning and for each change; both readings are named.',
        schema: Type.Object({
          points: Type.Array(
            Type.Object({
              timestamp: Type.String(),
              properties: Type.Record(Type.String(), Type.Unknown(), { description: 'As of the event.' }),
              relevant_event_count: Type.Integer({
                description: 'Events of the question that arrived until the next point.',
              }),
            }),
          ),
          crucial_property_keys: Type.Array(Type.String(), {
            description: 'Those that the question names, else those that changed.',
          }),
          effective_date_from: Type.String(),
          effective_date_to: Type.String(),
          points_as_of: Type.Literal('event'),
          properties_now: Type.Record(Type.String(), Type.Unknown(), { description: 'As of now.' }),
        }),
      },
      example: {
        params: { dataset: 'shop', id: EXAMPLE_PERSON.id },
        query: { events: '[{"id":"purchase"}]', breakdown: 'plan' },
        answer: EXAMPLE_TIMELINE,
      },
      async answer(call) {
        const { question } = call
        const asked = readTimelineRequest(call.query, clock.now(), question)
        const key = await findPerson(ask, question, pathParameter(call, 'id'))
        return { body: await propertiesTimeline(needs, question, key, asked) }
      },
    },
  ]
}

/** @throws ApiError 400 */
function readPage(query: RawQuery): ActivityPage {
  const cursor = textParameter(query, 'cursor')
  if (cursor !== null && !/^\d{1,15}$/.test(cursor))
    throw invalidInput('cursor', 'This cursor is not one of ours. Follow the address in "next" as it is.')
  return {
    limit: countParameter(query, 'limit', ACTIVITY_LIMITS.default, ACTIVITY_LIMITS.max),
    before: cursor === null ? null : Number(cursor),
  }
}

/** @throws ApiError 400 */
function readActivity(query: RawQuery): string | null {
  const text = textParameter(query, 'activity')
  if (text === null || PERSON_CHANGES.some((change) => change === text)) return text
  throw invalidInput('activity', `activity must be one of ${PERSON_CHANGES.join(', ')}.`)
}

const EXAMPLE_MERGE = {
  id: 812,
  scope: 'Person',
  item_id: EXAMPLE_PERSON.id,
  activity: 'merged',
  reason: 'identify',
  explanation: 'An identify event said that both ids are one person.',
  created_at: '2026-11-21T14:00:00.000Z',
  actor: null,
  source_id: 'e-12',
  distinct_id: 'user-2',
  other_person: { id: '3c1f0a52-8f0b-5c5e-8d55-2f6f8f4e7a10', distinct_id: 'anon-1' },
  detail: { changes: [{ action: 'created', field: '$initial_browser', before: null, after: 'Firefox' }] },
}

const EXAMPLE_REFUSAL = {
  ...EXAMPLE_MERGE,
  id: 813,
  activity: 'merge_refused',
  reason: 'cannot_merge_already_identified',
  explanation: 'The person to be swallowed is identified: it may be somebody else.',
  detail: { changes: null },
}

const EXAMPLE_TIMELINE = {
  points: [
    { timestamp: '2026-11-15T00:00:00.000Z', properties: { plan: 'free' }, relevant_event_count: 12 },
    { timestamp: '2026-11-21T14:00:00.000Z', properties: { plan: 'pro' }, relevant_event_count: 3 },
  ],
  crucial_property_keys: ['plan'],
  effective_date_from: '2026-11-15T00:00:00.000Z',
  effective_date_to: '2026-11-22T14:05:00.000Z',
  points_as_of: 'event',
  properties_now: { plan: 'pro' },
}
