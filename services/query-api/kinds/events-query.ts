import { readExpressions } from '../events/event-expressions.ts'
import { EVENT_LIMITS } from '../events/events-request.ts'
import { decodeCursor } from '../events/page-cursor.ts'
import { selectEvents } from '../events/selected-events.ts'
import { invalidInput } from '../http/api-error.ts'
import { optionalText } from '../insights/entity-request.ts'
import { parseDateRange } from '../query/date-range.ts'
import { FILTER_TYPES, readFilterTree } from '../query/property-filters.ts'
import { answeringFaults } from '../sql/sql-failure.ts'
import { SQL_LIMITS, SQL_ROWS } from '../sql/sql-limits.ts'
import type { Asking } from '../sql/sql-statement.ts'
import { type Node, refuseMembers, textsOf, UNUSED_MEMBERS, wholeOf } from './query-nodes.ts'
import type { RunKind } from './run-query.ts'

const MEMBERS = [
  ...UNUSED_MEMBERS,
  'select',
  'where',
  'orderBy',
  'event',
  'personId',
  'distinctId',
  'properties',
  'fixedProperties',
  'after',
  'before',
  'limit',
  'offset',
  'cursor',
  'maskPii',
]

/** What a query asks of events. @throws ApiError 400 for one that cannot be asked, as far as it alone tells */
export function readEventsQuery(node: Node, asking: Asking) {
  refuseMembers(node, MEMBERS, 'query')
  const { dataset, nowMs, zone } = asking
  const filters = readFilterTree(
    [...listOf(node, 'properties'), ...listOf(node, 'fixedProperties')],
    'query__properties',
    FILTER_TYPES,
  )
  const asked = readExpressions(
    {
      select: textsOf(node.select, 'query__select', SQL_LIMITS.columns),
      where: textsOf(node.where, 'query__where', SQL_LIMITS.columns),
      orderBy: orderTexts(node),
    },
    asking,
  )
  if (asked.items.length === 0) throw invalidInput('query__select', 'Say what is wanted: select.', 'required')
  const cursor = optionalText(node.cursor, 'query__cursor')
  const selection = {
    dataset,
    event: optionalText(node.event, 'query__event'),
    distinctId: optionalText(node.distinctId, 'query__distinctId'),
    personId: optionalText(node.personId, 'query__personId')?.toLowerCase() ?? null,
    ...bounds(node, nowMs, zone),
    filters,
    where: asked.where,
  }
  const page = {
    order: 'descending' as const,
    limit: wholeOf(node.limit, 'query__limit', 1, SQL_ROWS.max, SQL_ROWS.default),
    offset: wholeOf(node.offset, 'query__offset', 0, EVENT_LIMITS.offsetMax, 0),
    cursor: cursor === null ? null : decodeCursor(cursor),
  }
  return { asked, selection, page, isMasked: node.maskPii === true }
}

/** Values of expressions over events. `nextCursor` loses no row while others arrive; `offset` may. */
export const eventsQuery: RunKind = async (needs, { question }, node) => {
  const asking = { dataset: question.dataset.id, zone: question.zone, nowMs: needs.clock.now() }
  const { asked, selection, page, isMasked } = readEventsQuery(node, asking)
  const { afterMs, beforeMs } = selection
  if (afterMs !== null || beforeMs !== null) question.onRange?.({ fromMs: afterMs, toMs: beforeMs })
  const { next, ...found } = await answeringFaults('', 'query__select', () =>
    selectEvents(needs, question, selection, asked, page, isMasked),
  )
  return { ...found, limit: page.limit, offset: page.offset, nextCursor: next }
}

function listOf(node: Node, member: string): readonly unknown[] {
  const value = node[member]
  if (value === undefined || value === null) return []
  return Array.isArray(value) ? value : [value]
}

/** `["timestamp DESC"]` and `["-timestamp"]` are the order that events have anyway. */
function orderTexts(node: Node): string[] {
  const texts = textsOf(node.orderBy, 'query__orderBy', SQL_LIMITS.columns)
  return texts.length === 1 && /^(-timestamp|timestamp desc)$/i.test(texts[0] as string) ? [] : texts
}

/** Times as insights take them, relative ones among them. Both bounds are exclusive. */
function bounds(node: Node, nowMs: number, zone: Parameters<typeof parseDateRange>[3]) {
  const [after, before] = [
    optionalText(node.after, 'query__after'),
    optionalText(node.before, 'query__before'),
  ]
  const startOf = (text: string) => parseDateRange(text, '9999-12-31', nowMs, zone).fromMs
  return {
    afterMs: after === null ? null : startOf(after),
    beforeMs: before === null ? null : startOf(before),
  }
}
