import { type ListPages, nextPlace } from '../http/list-files.ts'
import type { RawQuery } from '../http/request-parameters.ts'
import type { DatasetRoute } from '../http/route.ts'
import { RETENTION_PEOPLE_PARAMETERS, type RetentionPerson, retentionPeople } from './activity-people.ts'
import type { InsightNeeds } from './frame.ts'
import { type People, peopleOf } from './people.ts'
import { PEOPLE_EXAMPLES, PEOPLE_LIST_EXAMPLE, RETENTION_PEOPLE_EXAMPLE } from './people-examples.ts'
import { PEOPLE } from './people-kinds.ts'
import { type PeoplePage, readPeoplePage } from './people-request.ts'
import { questionRoutes } from './question-routes.ts'
import { RETENTION_PARAMETERS } from './retention-request.ts'

const COMMON = { tag: 'persons', access: { object: 'person', action: 'read' }, limit: 'persons' } as const

type Actor = Readonly<Record<string, unknown>>

const ACTOR_COLUMNS = ['type', 'id', 'name', 'distinct_ids', 'properties', 'created_at']

/** How people behind a number are read to the last of them. */
const PEOPLE_PAGES: ListPages = {
  columns: [...ACTOR_COLUMNS, 'value_at_data_point'],
  flat: named,
  entries: (body) =>
    (body as { results: readonly [{ people: People['people'] }] }).results[0].people as never,
  next: nextPlace,
}

/** The same of those of a retention: each with the periods in which it was there. */
const RETENTION_PAGES: ListPages = {
  columns: [...ACTOR_COLUMNS, 'appearances'],
  flat: ({ person, appearances }) => ({ ...named(person as Actor), appearances }),
  entries: (body) => (body as { result: readonly RetentionPerson[] }).result as never,
  next: nextPlace,
}

/** A group has its key as its name. */
function named(actor: Actor): Actor {
  return { name: actor.group_key, ...actor }
}

/** Routes of the people behind every insight. */
export function peopleRoutes(needs: InsightNeeds): DatasetRoute[] {
  const refreshed = () => ({ is_cached: false, last_refresh: new Date(needs.clock.now()).toISOString() })
  const lists = Object.entries(PEOPLE).flatMap(([kind, { behind, ...declared }]) =>
    questionRoutes({
      ...COMMON,
      ...declared,
      path: `/persons/${kind}`,
      description: 'A page of people, those who add most to the number first.',
      pages: PEOPLE_PAGES,
      example: {
        asked: PEOPLE_EXAMPLES[kind as keyof typeof PEOPLE_EXAMPLES],
        answer: { ...PEOPLE_LIST_EXAMPLE, initial: `…/persons/${kind}?…&limit=100&offset=0` },
      },
      async answer({ question, url }, query) {
        const page = readPeoplePage(query)
        const { sql, groupTypeIndex } = await behind(needs, question, query)
        const found = await peopleOf(needs.ask, question, sql, page, groupTypeIndex)
        return {
          body: {
            results: [{ people: found.people, count: found.count, value: found.value }],
            next: found.isLast
              ? null
              : pageAddress(url, query, { ...page, offset: page.offset + page.limit }),
            initial: pageAddress(url, query, { ...page, offset: 0 }),
            missing_persons: found.missing,
            ...refreshed(),
          },
        }
      },
    }),
  )
  return [
    ...lists,
    ...questionRoutes({
      ...COMMON,
      path: '/persons/retention',
      summary: 'Who began in a period of a retention, and when they came back.',
      parameters: { ...RETENTION_PARAMETERS, ...RETENTION_PEOPLE_PARAMETERS },
      description: 'A page of people, the most faithful first.',
      pages: RETENTION_PAGES,
      example: RETENTION_PEOPLE_EXAMPLE,
      async answer({ question, url }, query) {
        const page = readPeoplePage(query)
        const { people, isLast } = await retentionPeople(needs, question, query, page)
        const next = isLast ? null : pageAddress(url, query, { ...page, offset: page.offset + page.limit })
        return { body: { result: people, next, ...refreshed() } }
      },
    }),
  ]
}

/** The same list from another place on; a key is not repeated. */
function pageAddress(url: URL, query: RawQuery, { limit, offset }: PeoplePage): string {
  const address = new URL(url)
  address.search = ''
  for (const [name, value] of Object.entries(query))
    if (typeof value === 'string' && name !== 'personal_api_key') address.searchParams.set(name, value)
  address.searchParams.set('limit', String(limit))
  address.searchParams.set('offset', String(offset))
  return address.href
}
