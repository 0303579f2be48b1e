import type { Ask } from '../query/ask.ts'
import { propertySql } from '../query/event-properties.ts'
import type { Question } from '../query/question.ts'
import { timeSql } from '../query/time-sql.ts'

/** Values of one answer. */
export const VALUES_MAX = 50
/** Values are looked for in the events of so many days: older ones are of no help to whoever types a filter. */
const DAYS = 30
const DAY_MS = 86_400_000

export interface ValuesWanted {
  /** A property, or `custom_event` for the names of events that are the customer's own. */
  readonly key: string
  /** Only values that hold this text, in any case; null for all. */
  readonly value: string | null
  /** Only of events of these names; empty for all. */
  readonly eventNames: readonly string[]
}

/** The values that most events of the last days have, the most frequent one first. */
export async function eventValues(
  ask: Ask,
  question: Question,
  nowMs: number,
  { key, value, eventNames }: ValuesWanted,
): Promise<{ readonly name: string }[]> {
  const rows = await ask<{ name: string }>(question, (bindings) => {
    const isName = key === 'custom_event'
    const found = isName
      ? { text: 'event', isSet: "NOT startsWith(event, '$')" }
      : propertySql(key, bindings.bind(key, 'String'))
    const conditions = [
      `dataset_id = ${bindings.bind(question.dataset.id, 'String')}`,
      `event_time > ${timeSql(nowMs - DAYS * DAY_MS, bindings)}`,
      found.isSet,
    ]
    if (value !== null)
      conditions.push(`positionCaseInsensitiveUTF8(${found.text}, ${bindings.bind(value, 'String')}) > 0`)
    if (eventNames.length > 0) conditions.push(`event IN (${bindings.bind(eventNames, 'Array(String)')})`)
    return (
      `SELECT ${found.text} AS name FROM events WHERE ${conditions.join(' AND ')} ` +
      `GROUP BY name ORDER BY count() DESC, name ASC LIMIT ${bindings.bind(VALUES_MAX, 'UInt64')}`
    )
  })
  return rows.map(({ name }) => ({ name }))
}
