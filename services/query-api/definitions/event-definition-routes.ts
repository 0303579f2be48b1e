import { notFound } from '../http/api-error.ts'
import { listAnswer, listOf, pageParameters, readPage } from '../http/list-page.ts'
import { choiceDeclared, flagDeclared, textDeclared } from '../http/parameter-declarations.ts'
import { choiceParameter, refuseUnknown, textParameter } from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetCall, type DatasetRoute, pathParameter } from '../http/route.ts'
import { flagParameter } from '../insights/insight-request.ts'
import type { DefinitionNeeds } from './definition-change.ts'
import { type Definition, definitionsOf, holdsWords, inOrder, ORDERINGS } from './definition-lists.ts'
import { DefinitionChangeBody, EventDefinitionView, eventDefinition } from './definition-views.ts'
import { type Found, oneDefinitionRoutes } from './one-definition-routes.ts'
import { seenEvents } from './seen-definitions.ts'

const KIND = 'event'
const EVENT_TYPES = ['all', 'event', 'event_custom', 'event_posthog'] as const
const PARAMETERS = {
  search: textDeclared('Words that the name or the description holds, in any case.'),
  event_type: choiceDeclared(
    'All, those of the customer (`event_custom`), or those with a `$` (`event_posthog`).',
    EVENT_TYPES,
    'all',
  ),
  verified: flagDeclared('Only those that somebody has verified.'),
  ordering: choiceDeclared('What they are ordered by.', ORDERINGS, 'name'),
  ...pageParameters(),
}

/** Events by their names, as they were seen. */
export function eventDefinitionRoutes(needs: DefinitionNeeds): DatasetRoute[] {
  const { ask, clock, store } = needs

  async function all({ question }: DatasetCall): Promise<Definition[]> {
    const dataset = question.dataset.id
    const [seen, said] = await Promise.all([
      seenEvents(ask, question, clock.now()),
      store.list(dataset, KIND),
    ])
    return definitionsOf(dataset, KIND, seen, said)
  }

  async function find(call: DatasetCall): Promise<Found> {
    const id = pathParameter(call, 'id')
    const definition = (await all(call)).find((each) => each.id === id)
    if (definition === undefined) throw notFound()
    return { definition, kind: KIND }
  }

  return [
    {
      about: 'dataset',
      tag: 'event_definitions',
      limit: 'clickhouse',
      method: 'GET',
      path: `${DATASET_PATH}/event_definitions`,
      summary: 'Names of events that were seen.',
      access: { object: 'event_definition', action: 'read' },
      parameters: PARAMETERS,
      success: { status: 200, description: 'A page of them.', schema: listOf(EventDefinitionView) },
      example: {
        params: { dataset: 'shop' },
        answer: { count: 1, next: null, previous: null, results: [EXAMPLE] },
      },
      answer: async (call) => {
        const { query } = call
        refuseUnknown(query, Object.keys(PARAMETERS))
        const page = readPage(query)
        const ordering = choiceParameter(query, 'ordering', ORDERINGS, 'name')
        const type = choiceParameter(query, 'event_type', EVENT_TYPES, 'all')
        const search = textParameter(query, 'search')
        const onlyVerified = flagParameter(query, 'verified')
        const found = (await all(call)).filter(
          (definition) =>
            (search === null || holdsWords(definition, search)) &&
            (!onlyVerified || definition.said?.verified === 1) &&
            (!type.startsWith('event_') ||
              definition.seen.name.startsWith('$') === (type === 'event_posthog')),
        )
        const shown = inOrder(found, ordering).slice(page.offset, page.offset + page.limit)
        return listAnswer(shown.map(eventDefinition), found.length, page, call.url)
      },
    },
    ...oneDefinitionRoutes(needs, {
      object: 'event_definition',
      body: DefinitionChangeBody,
      view: EventDefinitionView,
      example: EXAMPLE,
      exampleBody: { description: 'An order was paid.', tags: ['revenue'], verified: true },
      comesBack: 'such an event is received again',
      find,
      answer: async (_, { definition }) => ({ body: eventDefinition(definition) }),
    }),
  ]
}

const EXAMPLE = {
  id: '1f0c7a4be2d34c7788aa0b1c6d5e4f30',
  name: 'purchase',
  created_at: '2026-10-01T08:00:00.000Z',
  last_seen_at: '2026-11-22T11:59:00.000Z',
  volume: 1204,
  description: 'An order was paid.',
  tags: ['revenue'],
  verified: true,
  updated_at: '2026-11-20T09:00:00.000Z',
  updated_by: 'personal_api_key:5f0c1a9be2d34c7788aa0b1c',
}
