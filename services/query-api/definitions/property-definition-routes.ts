import { textsParameter } from '../events/texts-parameter.ts'
import { invalidInput, notFound } from '../http/api-error.ts'
import { type ListPage, listAnswer, listOf, pageParameters, readPage } from '../http/list-page.ts'
import {
  choiceDeclared,
  flagDeclared,
  jsonDeclared,
  textDeclared,
  wholeDeclared,
} from '../http/parameter-declarations.ts'
import {
  choiceParameter,
  type RawQuery,
  refuseUnknown,
  requiredText,
  textParameter,
} from '../http/request-parameters.ts'
import { DATASET_PATH, type DatasetCall, type DatasetRoute, pathParameter } from '../http/route.ts'
import { flagParameter } from '../insights/insight-request.ts'
import { FILTER_LIMITS, readGroupTypeIndex } from '../query/property-filters.ts'
import type { DefinitionNeeds } from './definition-change.ts'
import { type Definition, definitionsOf, holdsWords, inOrder, ORDERINGS } from './definition-lists.ts'
import { PropertyChangeBody, PropertyDefinitionView, propertyDefinition } from './definition-views.ts'
import { type Found, oneDefinitionRoutes } from './one-definition-routes.ts'
import { type PropertyOf, propertyTypes, seenProperties, seenTogether } from './seen-definitions.ts'

const TYPES = ['event', 'person', 'group'] as const
const OWNER_PARAMETERS = {
  type: choiceDeclared('Whose properties.', TYPES, 'event'),
  group_type_index: wholeDeclared('With groups: their type.', 0, FILTER_LIMITS.groupTypes - 1),
}
const PARAMETERS = {
  ...OWNER_PARAMETERS,
  search: textDeclared('Words that the name or the description holds, in any case.'),
  properties: textDeclared('Only these names, separated by commas.'),
  excluded_properties: jsonDeclared('Names that are left out, as a list.'),
  event_names: jsonDeclared('Events that `is_seen_on_filtered_events` is told of, as a list.'),
  filter_by_event_names: flagDeclared('Whether only properties that those events have are listed.'),
  is_numerical: flagDeclared('Only numbers.'),
  is_feature_flag: flagDeclared('Only, or with `false` no, properties called `$feature/…`.'),
  ordering: choiceDeclared('What they are ordered by.', ORDERINGS, 'name'),
  ...pageParameters(),
}
const TOGETHER_PARAMETERS = {
  event_names: jsonDeclared('Names of events, as a list.'),
  property_name: textDeclared('The property.'),
}
const FLAG_PREFIX = '$feature/'

interface FoundProperty extends Found {
  readonly of: PropertyOf
}

/** Properties by their names, as they were seen. */
export function propertyDefinitionRoutes(needs: DefinitionNeeds): DatasetRoute[] {
  const { ask, clock, store } = needs

  async function allOf({ question }: DatasetCall, of: PropertyOf): Promise<Definition[]> {
    const dataset = question.dataset.id
    const kind = kindOf(of)
    const [seen, said] = await Promise.all([
      seenProperties(ask, question, of, clock.now()),
      store.list(dataset, kind),
    ])
    return definitionsOf(dataset, kind, seen, said)
  }

  /** Whose it is does not stand in the address: all kinds are looked through. */
  async function find(call: DatasetCall): Promise<FoundProperty> {
    const id = pathParameter(call, 'id')
    const owners: PropertyOf[] = [{ type: 'event', eventNames: [] }, { type: 'person' }]
    for (let index = 0; index < FILTER_LIMITS.groupTypes; index++) owners.push({ type: 'group', index })
    for (const of of owners) {
      const definition = (await allOf(call, of)).find((each) => each.id === id)
      if (definition !== undefined) return { of, definition, kind: kindOf(of) }
    }
    throw notFound()
  }

  async function shown({ question }: DatasetCall, of: PropertyOf, definitions: readonly Definition[]) {
    const names = definitions.map(({ seen }) => seen.name)
    return propertyTypes(ask, question, of, names, clock.now())
  }

  async function answer(call: DatasetCall, { of, definition }: FoundProperty) {
    const types = await shown(call, of, [definition])
    return { body: propertyDefinition(definition, of, types.get(definition.seen.name) ?? null, null) }
  }

  async function list(call: DatasetCall) {
    const { query } = call
    refuseUnknown(query, Object.keys(PARAMETERS))
    const page = readPage(query)
    const of = readOwner(query)
    const eventNames = textsParameter(query, 'event_names')
    const ordering = choiceParameter(query, 'ordering', ORDERINGS, 'name')
    const definitions = await allOf(call, of)
    const withEvents =
      of.type === 'event' && eventNames.length > 0
        ? new Set(
            (await seenProperties(ask, call.question, { ...of, eventNames }, clock.now())).map(
              ({ name }) => name,
            ),
          )
        : null
    const isWanted = readWanted(query, withEvents)
    const found = inOrder(definitions.filter(isWanted), ordering)
    return flagParameter(query, 'is_numerical')
      ? numbersOf(call, of, found, page, withEvents)
      : pageOf(call, of, found, page, withEvents)
  }

  async function pageOf(
    call: DatasetCall,
    of: PropertyOf,
    found: readonly Definition[],
    page: ListPage,
    withEvents: ReadonlySet<string> | null,
  ) {
    const part = found.slice(page.offset, page.offset + page.limit)
    const types = await shown(call, of, part)
    const rows = part.map((one) =>
      propertyDefinition(one, of, types.get(one.seen.name) ?? null, withEvents?.has(one.seen.name) ?? null),
    )
    return listAnswer(rows, found.length, page, call.url)
  }

  /** What is a number is known only when all of them were looked at. */
  async function numbersOf(
    call: DatasetCall,
    of: PropertyOf,
    found: readonly Definition[],
    page: ListPage,
    withEvents: ReadonlySet<string> | null,
  ) {
    const types = await shown(call, of, found)
    const numbers = found.filter(
      ({ seen, said }) => (said?.property_type ?? types.get(seen.name)) === 'Numeric',
    )
    return pageOf(call, of, numbers, page, withEvents)
  }

  const common = { about: 'dataset', tag: 'property_definitions', limit: 'clickhouse' } as const
  const read = { object: 'property_definition', action: 'read' } as const
  const path = `${DATASET_PATH}/property_definitions`
  const many = { params: { dataset: 'shop' } }
  return [
    {
      ...common,
      method: 'GET',
      path,
      summary: 'Names of properties that were seen.',
      access: read,
      parameters: PARAMETERS,
      success: { status: 200, description: 'A page of them.', schema: listOf(PropertyDefinitionView) },
      example: { ...many, answer: { count: 1, next: null, previous: null, results: [EXAMPLE] } },
      answer: list,
    },
    {
      ...common,
      method: 'GET',
      path: `${path}/seen_together`,
      summary: 'Which events have ever had a property.',
      access: read,
      parameters: TOGETHER_PARAMETERS,
      success: { status: 200, description: 'True or false by the name of the event.' },
      example: {
        ...many,
        query: { event_names: '["purchase","page_view"]', property_name: 'amount' },
        answer: { purchase: true, page_view: false },
      },
      answer: async ({ query, question }) => {
        refuseUnknown(query, Object.keys(TOGETHER_PARAMETERS))
        const eventNames = textsParameter(query, 'event_names')
        const property = requiredText(query, 'property_name')
        if (eventNames.length === 0) throw invalidInput('event_names', 'Say which events.', 'required')
        return { body: await seenTogether(ask, question, eventNames, property) }
      },
    },
    ...oneDefinitionRoutes(needs, {
      object: 'property_definition',
      body: PropertyChangeBody,
      view: PropertyDefinitionView,
      example: EXAMPLE,
      exampleBody: { description: 'With tax.', property_type: 'Numeric', verified: true },
      comesBack: 'an event with it is received again',
      find,
      answer,
    }),
  ]
}

function kindOf(of: PropertyOf): string {
  return of.type === 'group' ? `property:group:${of.index}` : `property:${of.type}`
}

/** @throws ApiError 400 */
function readOwner(query: RawQuery): PropertyOf {
  const type = choiceParameter(query, 'type', TYPES, 'event')
  if (type === 'event') return { type, eventNames: [] }
  if (type === 'person') return { type }
  return { type, index: readGroupTypeIndex(textParameter(query, 'group_type_index'), 'group_type_index') }
}

function readWanted(query: RawQuery, withEvents: ReadonlySet<string> | null): (one: Definition) => boolean {
  const search = textParameter(query, 'search')
  const listed = textParameter(query, 'properties', FILTER_LIMITS.textBytes)
  const names = listed === null ? null : new Set(listed.split(','))
  const excluded = new Set(textsParameter(query, 'excluded_properties'))
  const isFlag = query.is_feature_flag === undefined ? null : flagParameter(query, 'is_feature_flag')
  const onlyWithEvents = flagParameter(query, 'filter_by_event_names')
  return (one) => {
    const { name } = one.seen
    return (
      (search === null || holdsWords(one, search)) &&
      (names === null || names.has(name)) &&
      !excluded.has(name) &&
      (isFlag === null || name.startsWith(FLAG_PREFIX) === isFlag) &&
      (!onlyWithEvents || withEvents === null || withEvents.has(name))
    )
  }
}

const EXAMPLE = {
  id: '7c1d2e3f4a5b6c7d8e9f0a1b2c3d4e5f',
  name: 'amount',
  type: 'event',
  group_type_index: null,
  property_type: 'Numeric',
  is_numerical: true,
  last_seen_at: '2026-11-22T11:59:00.000Z',
  volume: 1204,
  is_seen_on_filtered_events: null,
  description: 'With tax.',
  tags: [],
  verified: true,
  updated_at: '2026-11-20T09:00:00.000Z',
  updated_by: 'personal_api_key:5f0c1a9be2d34c7788aa0b1c',
}
