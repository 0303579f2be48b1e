import { PEOPLE_LIMITS, type PeoplePage } from '../insights/people-request.ts'
import { type Node, wholeOf } from './query-nodes.ts'

/** Which of the people of a query. @throws ApiError 400 */
export function readActorsPage(node: Node): PeoplePage {
  return {
    limit: wholeOf(node.limit, 'query__limit', 1, PEOPLE_LIMITS.pageMax, PEOPLE_LIMITS.page),
    offset: wholeOf(node.offset, 'query__offset', 0, PEOPLE_LIMITS.offsetMax, 0),
  }
}
