import { GROUP_LIMITS } from '../groups/groups-request.ts'
import { type GroupView, listGroups } from '../groups/list-groups.ts'
import { optionalText } from '../insights/entity-request.ts'
import { decodeCreatedCursor } from '../query/created-cursor.ts'
import { readGroupTypeIndex } from '../query/property-filters.ts'
import { refuseMembers, UNUSED_MEMBERS, wholeOf } from './query-nodes.ts'
import type { RunKind } from './run-query.ts'
import { type Column, readSelect } from './selected-columns.ts'

const KEY: Column<GroupView> = { type: 'String', of: (group) => group.group_key }
const COLUMNS = {
  group: { type: 'Group', of: (group) => group },
  key: KEY,
  id: KEY,
  group_name: {
    type: 'String',
    of: ({ group_properties: { name }, group_key: key }) =>
      typeof name === 'string' && name !== '' ? name : key,
  },
  created_at: { type: 'String', of: (group) => group.created_at },
  properties: { type: 'JSON', of: (group) => group.group_properties },
} satisfies Readonly<Record<string, Column<GroupView>>>

const OWN = ['group_type_index', 'search', 'select', 'limit', 'offset', 'cursor']

/** Groups of one kind as of now, the newest first. `nextCursor` loses no group while others arrive; `offset` may. */
export const groupsQuery: RunKind = async ({ ask }, { question }, node) => {
  refuseMembers(node, [...UNUSED_MEMBERS, ...OWN], 'query')
  const selection = {
    index: readGroupTypeIndex(node.group_type_index, 'query__group_type_index'),
    search: optionalText(node.search, 'query__search'),
  }
  const { columns, types, results } = readSelect(node, 'groups', COLUMNS, ['group_name', 'key'])
  const limit = wholeOf(node.limit, 'query__limit', 1, GROUP_LIMITS.max, GROUP_LIMITS.default)
  const offset = wholeOf(node.offset, 'query__offset', 0, GROUP_LIMITS.offsetMax, 0)
  const given = node.cursor ?? null
  const cursor = given === null ? null : decodeCreatedCursor(String(given))
  const { groups, next } = await listGroups(ask, question, selection, { limit, offset, cursor })
  return {
    results: results(groups),
    columns,
    types,
    hasMore: next !== null,
    limit,
    offset,
    nextCursor: next,
  }
}
