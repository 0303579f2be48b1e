import type { RawQuery } from '../http/request-parameters.ts'
import type { Route } from '../http/route.ts'
import type { Question } from '../query/question.ts'
import { type BehindNumber, lifecyclePeople, retentionPeople, stickinessPeople } from './activity-people.ts'
import type { InsightNeeds } from './frame.ts'
import { funnelPeople } from './funnel-people.ts'
import { pathPeople, timingPeople } from './path-people.ts'
import { peopleOf } from './people.ts'
import { type PeoplePage, readPeoplePage } from './people-request.ts'
import { postedParameters } from './posted-parameters.ts'
import { trendPeople } from './trend-people.ts'

/** Who is behind a number of an insight, by the last part of the path. */
const PEOPLE: Readonly<
  Record<string, (needs: InsightNeeds, question: Question, query: RawQuery) => Promise<BehindNumber>>
> = {
  trends: trendPeople,
  funnel: funnelPeople,
  stickiness: stickinessPeople,
  lifecycle: lifecyclePeople,
  path: pathPeople,
  timing: timingPeople,
}

/** Routes of the people behind every insight, to be answered by GET and POST. */
export function peopleRoutes(needs: InsightNeeds): Pick<Route, 'path' | 'answer'>[] {
  const refreshed = () => ({ is_cached: false, last_refresh: new Date(needs.clock.now()).toISOString() })
  const lists = Object.entries(PEOPLE).map(([kind, behind]) => ({
    path: `/persons/${kind}`,
    async answer({ question, query: sent, body, url }: Parameters<Route['answer']>[0]) {
      const query = postedParameters(sent, body)
      const page = readPeoplePage(query)
      const { sql, groupTypeIndex } = await behind(needs, question, query)
      const found = await peopleOf(needs.ask, question, sql, page, groupTypeIndex)
      return {
        body: {
          results: [{ people: found.people, count: found.count, value: found.value }],
          next: found.isLast ? null : pageAddress(url, query, { ...page, offset: page.offset + page.limit }),
          initial: pageAddress(url, query, { ...page, offset: 0 }),
          missing_persons: found.missing,
          ...refreshed(),
        },
      }
    },
  }))
  return [
    ...lists,
    {
      path: '/persons/retention',
      async answer({ question, query: sent, body, url }) {
        const query = postedParameters(sent, body)
        const page = readPeoplePage(query)
        const { people, isLast } = await retentionPeople(needs, question, query, page)
        const next = isLast ? null : pageAddress(url, query, { ...page, offset: page.offset + page.limit })
        return { body: { result: people, next, ...refreshed() } }
      },
    },
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
