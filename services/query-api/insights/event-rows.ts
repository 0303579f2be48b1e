import type { Bindings } from '../query/bindings.ts'
import { newestPersonsJoins } from '../query/event-view-rows.ts'
import { filterSql } from '../query/filter-sql.ts'
import { groupKeySql } from '../query/group-rows.ts'
import {
  PERSON_HASH,
  PERSON_KEY,
  THEN_PROPERTIES,
  withEventPersonSql,
  withPersonThenSql,
} from '../query/person-rows.ts'
import { STORED_EVENTS } from '../query/stored-events.ts'
import { timeSql } from '../query/time-sql.ts'
import { eventTextSql } from '../sql/event-expression.ts'
import { type Entity, type Frame, filterScope } from './frame.ts'

/** Which events of a question a statement reads, and what of them. */
export interface RowsWanted {
  /** `[fromMs, toMs)`; null for everything before the end. */
  readonly fromMs: number | null
  readonly toMs: number
  /** Expressions over the columns of `events` and about their people, and those of the joins, each with its alias. */
  readonly columns: readonly string[]
  /** Joins of further rows by those columns, as SQL. */
  readonly joins?: readonly string[]
  /** The events of any of them; null for all events. */
  readonly entities: readonly Entity[] | null
  /** Conditions on columns of `events` alone, as SQL: decided before anything is joined. */
  readonly stored?: readonly string[]
  /** Conditions on top, as SQL. */
  readonly where?: readonly string[]
}

/** Whole numbers that samplings are compared by: a thousandth of a per mille is as fine as it gets. */
const SAMPLING_STEPS = 1_000_000

/**
 * A SELECT of the events that a question is about. What is cheap and keeps most rows out (dataset, time, names) is
 * decided on the table itself; people are joined only where something names them.
 */
export function eventRowsSql(frame: Frame, wanted: RowsWanted, bindings: Bindings): string {
  const dataset = bindings.bind(frame.dataset, 'String')
  const scope = filterScope(frame, bindings)
  const base = [`dataset_id = ${dataset}`, `event_time < ${timeSql(wanted.toMs, bindings)}`]
  if (wanted.fromMs !== null) base.push(`event_time >= ${timeSql(wanted.fromMs, bindings)}`)
  base.push(...(wanted.stored ?? []))
  const names = wanted.entities === null ? null : namesOf(wanted.entities)
  if (names !== null) base.push(`event IN (${bindings.bind(names, 'Array(String)')})`)
  const where = [...(wanted.where ?? [])]
  if (frame.filters.parts.length > 0) where.push(filterSql(frame.filters, scope))
  if (wanted.entities !== null)
    where.push(`(${wanted.entities.map((entity) => entitySql(entity, frame, bindings)).join(' OR ')})`)
  if (frame.samplingFactor < 1) where.push(sampledSql(frame, bindings))
  const named = [...wanted.columns, ...where]
  const joins = [...(wanted.joins ?? []), ...newestPersonsJoins(named, frame.dataset, bindings)]
  const outer = [...named, ...joins]
  const isNamed = (column: string) => outer.some((sql) => sql.includes(column))
  let rows = `${STORED_EVENTS} WHERE ${base.join(' AND ')}`
  if (isNamed(PERSON_KEY) || isNamed(PERSON_HASH)) rows = withEventPersonSql(rows, frame.dataset, bindings)
  if (isNamed(THEN_PROPERTIES)) rows = withPersonThenSql(rows, frame.dataset, bindings)
  const joined = [`(${rows}) AS found`, ...joins].join(' ')
  return `SELECT ${wanted.columns.join(', ')} FROM ${joined}${where.length > 0 ? ` WHERE ${where.join(' AND ')}` : ''}`
}

/**
 * Who acts, a person, a group or what an expression says: text, empty for an event of nobody; in a frame that only counts
 * persons a number, 0 for nobody.
 */
export function actorSql(frame: Frame, bindings: Bindings): string {
  if (frame.actorExpression !== null) return eventTextSql(frame.actorExpression, filterScope(frame, bindings))
  if (frame.groupTypeIndex !== null) return groupKeySql(frame.dataset, frame.groupTypeIndex, bindings)
  return frame.countsOnly ? PERSON_HASH : PERSON_KEY
}

/** Whether a column that {@link actorSql} made is somebody. */
export function isSomebodySql(frame: Frame, column: string): string {
  const isPerson = frame.groupTypeIndex === null && frame.actorExpression === null
  return frame.countsOnly && isPerson ? `${column} != 0` : `${column} != ''`
}

/** Whether an event is of the entity. */
export function entitySql(entity: Entity, frame: Frame, bindings: Bindings): string {
  const scope = filterScope(frame, bindings)
  const steps = entity.steps.map(({ event, filters }) => {
    const conditions = event === null ? [] : [`event = ${bindings.bind(event, 'String')}`]
    if (filters.parts.length > 0) conditions.push(filterSql(filters, scope))
    return conditions.length === 0 ? '1' : conditions.join(' AND ')
  })
  const any = steps.length === 0 ? '0' : steps.map((step) => `(${step})`).join(' OR ')
  return entity.filters.parts.length === 0 ? `(${any})` : `((${any}) AND ${filterSql(entity.filters, scope)})`
}

/** Names that events of the entities can have; null when they can have any. */
function namesOf(entities: readonly Entity[]): string[] | null {
  const names = entities.flatMap(({ steps }) => steps.map(({ event }) => event))
  return names.some((name) => name === null) ? null : [...new Set(names as string[])]
}

/** The same actors are in a sample whatever is asked about them. */
function sampledSql(frame: Frame, bindings: Bindings): string {
  const share = bindings.bind(Math.round(frame.samplingFactor * SAMPLING_STEPS), 'UInt64')
  return `(cityHash64(${actorSql({ ...frame, countsOnly: false }, bindings)}) % ${SAMPLING_STEPS} < ${share})`
}
