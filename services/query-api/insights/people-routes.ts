import type { ParameterDeclarations } from '../http/parameter-declarations.ts'
import type { RawQuery } from '../http/request-parameters.ts'
import type { DatasetRoute } from '../http/route.ts'
import type { Question } from '../query/question.ts'
import {
  type BehindNumber,
  LIFECYCLE_PEOPLE_PARAMETERS,
  lifecyclePeople,
  RETENTION_PEOPLE_PARAMETERS,
  retentionPeople,
  STICKINESS_PEOPLE_PARAMETERS,
  stickinessPeople,
} from './activity-people.ts'
import type { InsightNeeds } from './frame.ts'
import { FUNNEL_PEOPLE_PARAMETERS, funnelPeople } from './funnel-people.ts'
import { FUNNEL_PARAMETERS } from './funnel-request.ts'
import { LIFECYCLE_PARAMETERS } from './lifecycle.ts'
import { PATH_PEOPLE_PARAMETERS, pathPeople, TIMING_PEOPLE_PARAMETERS, timingPeople } from './path-people.ts'
import { PATH_PARAMETERS } from './path-request.ts'
import { peopleOf } from './people.ts'
import { PEOPLE_EXAMPLES, PEOPLE_LIST_EXAMPLE, RETENTION_PEOPLE_EXAMPLE } from './people-examples.ts'
import { type PeoplePage, readPeoplePage } from './people-request.ts'
import { questionRoutes } from './question-routes.ts'
import { RETENTION_PARAMETERS } from './retention-request.ts'
import { STICKINESS_PARAMETERS } from './stickiness.ts'
import { TIMING_PARAMETERS } from './timing-request.ts'
import { TREND_PEOPLE_PARAMETERS, trendPeople } from './trend-people.ts'
import { TREND_PARAMETERS } from './trend-request.ts'

interface PeopleDeclaration {
  readonly summary: string
  readonly parameters: ParameterDeclarations
  readonly behind: (needs: InsightNeeds, question: Question, query: RawQuery) => Promise<BehindNumber>
}

/** Who is behind a number of an insight, by the last part of the path. */
export const PEOPLE: Readonly<Record<keyof typeof PEOPLE_EXAMPLES, PeopleDeclaration>> = {
  trends: {
    summary: 'Who is behind a point of a trend.',
    parameters: { ...TREND_PARAMETERS, ...TREND_PEOPLE_PARAMETERS },
    behind: trendPeople,
  },
  funnel: {
    summary: 'Who reached a step of a funnel, or dropped out before it.',
    parameters: { ...FUNNEL_PARAMETERS, ...FUNNEL_PEOPLE_PARAMETERS },
    behind: funnelPeople,
  },
  stickiness: {
    summary: 'Who was active in so many intervals.',
    parameters: { ...STICKINESS_PARAMETERS, ...STICKINESS_PEOPLE_PARAMETERS },
    behind: stickinessPeople,
  },
  lifecycle: {
    summary: 'Who was new, returning, resurrecting or dormant in an interval.',
    parameters: { ...LIFECYCLE_PARAMETERS, ...LIFECYCLE_PEOPLE_PARAMETERS },
    behind: lifecyclePeople,
  },
  path: {
    summary: 'Who went along an edge of the paths.',
    parameters: { ...PATH_PARAMETERS, ...PATH_PEOPLE_PARAMETERS },
    behind: pathPeople,
  },
  timing: {
    summary: 'Who has pairs of the two events.',
    parameters: { ...TIMING_PARAMETERS, ...TIMING_PEOPLE_PARAMETERS },
    behind: timingPeople,
  },
}

const COMMON = { tag: 'persons', access: { object: 'person', action: 'read' }, limit: 'persons' } as const

/** Routes of the people behind every insight. */
export function peopleRoutes(needs: InsightNeeds): DatasetRoute[] {
  const refreshed = () => ({ is_cached: false, last_refresh: new Date(needs.clock.now()).toISOString() })
  const lists = Object.entries(PEOPLE).flatMap(([kind, { behind, ...declared }]) =>
    questionRoutes({
      ...COMMON,
      ...declared,
      path: `/persons/${kind}`,
      description: 'A page of people, those who add most to the number first.',
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
