import type { Ask } from '../query/ask.ts'
import type { Bindings } from '../query/bindings.ts'
import { newestGroupsSql } from '../query/group-rows.ts'
import { newestPersonsSql } from '../query/person-rows.ts'
import type { Question } from '../query/question.ts'
import { timeSql } from '../query/time-sql.ts'

/** Names of one kind in a list at most: the most frequent ones. */
export const NAMES_MAX = 10_000
/** Events that the types of properties are read from, the newest ones of the last days. */
const SAMPLE = { rows: 20_000, days: 30 } as const
const DAY_MS = 86_400_000
/** As the projection has it: the two have to be the same text for it to be used. */
const NAMES_OF_DAY = 'groupUniqArrayArray(1000)(JSONExtractKeys(properties))'

/** A name that was seen, with how often. */
export interface Seen {
  readonly name: string
  /** Epoch ms of receipt; of persons and groups null. */
  readonly firstMs: number | null
  readonly lastMs: number | null
  /** Events in the last 30 days: of the name, or that have the property. */
  readonly volume: number
}

export type PropertyOf =
  | { readonly type: 'event'; readonly eventNames: readonly string[] }
  | { readonly type: 'person' }
  | { readonly type: 'group'; readonly index: number }

interface SeenRow {
  readonly name: string
  readonly first_ms: string | number
  readonly last_ms: string | number
  readonly volume: string | number
}

const seenOf = (row: SeenRow): Seen => ({
  name: row.name,
  firstMs: Number(row.first_ms),
  lastMs: Number(row.last_ms),
  volume: Number(row.volume),
})

/** Events per name and day, out of the projection `per_property`. */
function daysSql(
  dataset: string,
  eventNames: readonly string[],
  columns: string,
  bindings: Bindings,
): string {
  const named = eventNames.length === 0 ? '' : ` AND event IN (${bindings.bind(eventNames, 'Array(String)')})`
  return (
    'SELECT event, toDate(event_time) AS day, count() AS events, min(collector_time) AS first, ' +
    `max(collector_time) AS last${columns} FROM events WHERE dataset_id = ${bindings.bind(dataset, 'String')}${named} GROUP BY event, day`
  )
}

const TIMES = 'toUnixTimestamp64Milli(min(first)) AS first_ms, toUnixTimestamp64Milli(max(last)) AS last_ms'

/** Names of events, all of them that were ever stored. */
export async function seenEvents(ask: Ask, question: Question, nowMs: number): Promise<Seen[]> {
  const rows = await ask<SeenRow>(question, (bindings) => {
    const since = `toDate(${timeSql(nowMs - SAMPLE.days * DAY_MS, bindings)})`
    return (
      `SELECT event AS name, ${TIMES}, sumIf(events, day > ${since}) AS volume ` +
      `FROM (${daysSql(question.dataset.id, [], '', bindings)}) GROUP BY name ` +
      `ORDER BY sum(events) DESC, name ASC LIMIT ${bindings.bind(NAMES_MAX, 'UInt64')}`
    )
  })
  return rows.map(seenOf)
}

/** Names of properties: of events with how many events of the days had one, of persons and groups with how many of them do. */
export async function seenProperties(
  ask: Ask,
  question: Question,
  of: PropertyOf,
  nowMs: number,
): Promise<Seen[]> {
  const dataset = question.dataset.id
  if (of.type === 'event') {
    const rows = await ask<SeenRow>(question, (bindings) => {
      const since = `toDate(${timeSql(nowMs - SAMPLE.days * DAY_MS, bindings)})`
      return (
        `SELECT arrayJoin(names) AS name, ${TIMES}, sumIf(events, day > ${since}) AS volume ` +
        `FROM (${daysSql(dataset, of.eventNames, `, ${NAMES_OF_DAY} AS names`, bindings)}) GROUP BY name ` +
        `ORDER BY sum(events) DESC, name ASC LIMIT ${bindings.bind(NAMES_MAX, 'UInt64')}`
      )
    })
    return rows.map(seenOf)
  }
  const rows = await ask<{ name: string; volume: string | number }>(question, (bindings) => {
    const holders =
      of.type === 'person'
        ? newestPersonsSql(dataset, bindings)
        : newestGroupsSql(dataset, of.index, bindings)
    return (
      `SELECT arrayJoin(JSONExtractKeys(newest_properties)) AS name, count() AS volume FROM (${holders}) GROUP BY name ` +
      `ORDER BY volume DESC, name ASC LIMIT ${bindings.bind(NAMES_MAX, 'UInt64')}`
    )
  })
  return rows.map(({ name, volume }) => ({ name, firstMs: null, lastMs: null, volume: Number(volume) }))
}

export const PROPERTY_TYPES = ['String', 'Numeric', 'Boolean', 'DateTime'] as const
export type PropertyType = (typeof PROPERTY_TYPES)[number]

/** What most values of these properties look like in a sample; nothing of one that has no such values there. */
export async function propertyTypes(
  ask: Ask,
  question: Question,
  of: PropertyOf,
  names: readonly string[],
  nowMs: number,
): Promise<ReadonlyMap<string, PropertyType>> {
  if (names.length === 0) return new Map()
  const dataset = question.dataset.id
  const rows = await ask<{ name: string; type: PropertyType | '' }>(question, (bindings) => {
    const objects =
      of.type === 'event'
        ? `SELECT properties AS object FROM events WHERE dataset_id = ${bindings.bind(dataset, 'String')} ` +
          `AND event_time > ${timeSql(nowMs - SAMPLE.days * DAY_MS, bindings)} LIMIT ${bindings.bind(SAMPLE.rows, 'UInt64')}`
        : `SELECT newest_properties AS object FROM (${of.type === 'person' ? newestPersonsSql(dataset, bindings) : newestGroupsSql(dataset, of.index, bindings)}) ` +
          `LIMIT ${bindings.bind(SAMPLE.rows, 'UInt64')}`
    return (
      "SELECT member.1 AS name, topK(1)(multiIf(member.2 IN ('true', 'false'), 'Boolean', match(member.2, '^-?[0-9]'), 'Numeric', " +
      `match(member.2, '^"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}|"$)'), 'DateTime', startsWith(member.2, '"'), 'String', ''))[1] AS type ` +
      `FROM (SELECT arrayJoin(JSONExtractKeysAndValuesRaw(object)) AS member FROM (${objects})) ` +
      `WHERE member.1 IN (${bindings.bind(names, 'Array(String)')}) AND member.2 != 'null' GROUP BY name`
    )
  })
  return new Map(rows.flatMap(({ name, type }) => (type === '' ? [] : [[name, type] as const])))
}

/** Which of the events have ever had the property. */
export async function seenTogether(
  ask: Ask,
  question: Question,
  eventNames: readonly string[],
  property: string,
): Promise<Readonly<Record<string, boolean>>> {
  const rows = await ask<{ event: string }>(
    question,
    (bindings) =>
      `SELECT DISTINCT event FROM (${daysSql(question.dataset.id, eventNames, `, ${NAMES_OF_DAY} AS names`, bindings)}) ` +
      `WHERE has(names, ${bindings.bind(property, 'String')})`,
  )
  const having = new Set(rows.map(({ event }) => event))
  return Object.fromEntries(eventNames.map((event) => [event, having.has(event)]))
}
