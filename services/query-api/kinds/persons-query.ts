import { invalidInput } from '../http/api-error.ts'
import { optionalText } from '../insights/entity-request.ts'
import { listPersons, type PersonView } from '../persons/person-list.ts'
import type { PersonOrder } from '../persons/person-query.ts'
import { readPersonsRequest } from '../persons/persons-request.ts'
import { readActorsPage } from './actors-page.ts'
import { rawQuery } from './insight-kinds.ts'
import { type Node, refuseMembers, textsOf, UNUSED_MEMBERS } from './query-nodes.ts'
import type { RunKind } from './run-query.ts'
import { type Column, readSelect } from './selected-columns.ts'

const WHOLE: Column<PersonView> = { type: 'Actor', of: (person) => person }
const COLUMNS = {
  actor: WHOLE,
  person: WHOLE,
  id: { type: 'String', of: ({ id }) => id },
  name: { type: 'String', of: ({ name }) => name },
  created_at: { type: 'String', of: ({ created_at: createdAt }) => createdAt },
  properties: { type: 'JSON', of: ({ properties }) => properties },
  distinct_ids: { type: 'Array(String)', of: ({ distinct_ids: ids }) => ids },
  is_identified: { type: 'Bool', of: ({ is_identified: isIdentified }) => isIdentified },
} satisfies Readonly<Record<string, Column<PersonView>>>

const OWN = ['source', 'select', 'search', 'properties', 'orderBy', 'limit', 'offset'] as const

/** Persons as they are now, the newest first where no order is asked for. */
export const personsQuery: RunKind = async (needs, { question }, node) => {
  refuseMembers(node, [...UNUSED_MEMBERS, ...OWN], 'query')
  const page = readActorsPage(node)
  const order = readOrder(node)
  const { columns, types, results } = readSelect(node, 'persons', COLUMNS, ['actor', 'created_at'])
  const search = optionalText(node.search, 'query__search')
  const request = readPersonsRequest(rawQuery({ search, properties: node.properties }))
  const { rows, nextCursor } = await listPersons(needs, question, { ...request, ...page }, order)
  return { results: results(rows), columns, types, hasMore: nextCursor !== null, ...page }
}

const ORDERED_BY: Readonly<Record<string, PersonOrder['by']>> = { created_at: 'created_at', id: 'person_id' }

/** `["created_at DESC"]` or `["-created_at"]`. @throws ApiError 400 */
function readOrder(node: Node): PersonOrder {
  const [text = 'created_at DESC'] = textsOf(node.orderBy, 'query__orderBy', 1)
  const [, minus, name = '', direction = 'ASC'] = /^(-?)(\w+)(?: (ASC|DESC))?$/i.exec(text.trim()) ?? []
  const by = Object.hasOwn(ORDERED_BY, name) ? ORDERED_BY[name] : undefined
  if (by === undefined)
    throw invalidInput('query__orderBy', 'Persons are in the order of created_at or id: ["created_at DESC"].')
  return { by, isAscending: minus === '' && direction.toUpperCase() === 'ASC' }
}
