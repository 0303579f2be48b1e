import type { Bindings } from '../query/bindings.ts'
import { jsonPropertySql, propertySql } from '../query/event-properties.ts'
import { cohortSql } from '../query/filter-sql.ts'
import { groupKeySql, newestGroupsSql } from '../query/group-rows.ts'
import { newestPersonsSql, PERSON_KEY, THEN_PROPERTIES } from '../query/person-rows.ts'
import { sessionPropertySql, sessionRowsSql } from '../query/session-properties.ts'
import { eventTextSql } from '../sql/event-expression.ts'
import type { Expression } from '../sql/syntax.ts'
import type { Breakdown } from './breakdown.ts'
import { eventRowsSql } from './event-rows.ts'
import { type Entity, type Frame, filterScope } from './frame.ts'

/** A value of every event, as SQL. */
export interface ValueSql {
  /** Text. With several properties it is a JSON list of their texts. A cohort breakdown makes a row per value. */
  readonly value: string
  /** Joins that it needs. */
  readonly joins: readonly string[]
}

/** Values that get lines of their own. */
export interface BreakdownValues {
  readonly values: readonly string[]
  /** Lower bounds of bins, ascending, when the values are those of bins. */
  readonly edges: readonly number[] | null
}

export const EVERYBODY = 'all'

/** What the value of a breakdown is in a row of events. */
export function breakdownSql(breakdown: Breakdown, frame: Frame, bindings: Bindings): ValueSql {
  const scope = filterScope(frame, bindings)
  if (breakdown.by === 'cohorts') {
    const memberships = breakdown.ids.map((id) =>
      id === EVERYBODY ? `'${EVERYBODY}'` : `if(${cohortSql(id, false, scope)}, '${id}', '')`,
    )
    return { value: `arrayJoin(arrayFilter(x -> x != '', [${memberships.join(', ')}]))`, joins: [] }
  }
  const parts = breakdown.keys.map((_, index) => partSql(breakdown, index, frame, bindings))
  const texts = parts.map(({ value }) =>
    breakdown.normalizeUrl ? `replaceRegexpOne(${value}, '[/?#]*$', '')` : value,
  )
  return {
    value: texts.length === 1 ? (texts[0] as string) : `toJSONString([${texts.join(', ')}])`,
    joins: parts.flatMap(({ joins }) => joins),
  }
}

function partSql(
  { owner, keys }: Extract<Breakdown, { by: 'properties' }>,
  index: number,
  frame: Frame,
  bindings: Bindings,
): ValueSql {
  const key = keys[index] as string
  const alias = `part${index}`
  const bound = () => bindings.bind(key, 'String')
  switch (owner.of) {
    case 'event':
      return { value: propertySql(key, bound()).text, joins: [] }
    case 'person': {
      if (owner.asOf === 'event') return { value: jsonPropertySql(THEN_PROPERTIES, bound()).text, joins: [] }
      const text = jsonPropertySql('newest_properties', bound()).text
      const persons = newestPersonsSql(frame.dataset, bindings)
      return joined(
        alias,
        `SELECT newest_key, ${text} AS part_value FROM (${persons})`,
        'newest_key',
        PERSON_KEY,
      )
    }
    case 'session': {
      const rows = sessionRowsSql(filterScope(frame, bindings), sessionPropertySql(key))
      const sql = `SELECT session_key, session_value AS part_value FROM (${rows})`
      return joined(alias, sql, 'session_key', "ifNull(session_id, '')")
    }
    case 'group': {
      const text = jsonPropertySql('newest_properties', bound()).text
      const groups = newestGroupsSql(frame.dataset, owner.index, bindings)
      const sql = `SELECT newest_key, ${text} AS part_value FROM (${groups})`
      return joined(alias, sql, 'newest_key', groupKeySql(frame.dataset, owner.index, bindings))
    }
    case 'expression': {
      const expression = owner.expressions[index] as Expression
      return { value: eventTextSql(expression, filterScope(frame, bindings)), joins: [] }
    }
  }
}

function joined(alias: string, rows: string, key: string, on: string): ValueSql {
  return {
    value: `${alias}.part_value`,
    joins: [`LEFT ANY JOIN (${rows}) AS ${alias} ON ${on} = ${alias}.${key}`],
  }
}

/**
 * The values that most events of the question have, over all its entities, so that every line of a value means the
 * same events in every series. Equal frequencies by the value.
 */
export function breakdownValuesSql(
  breakdown: Breakdown,
  limit: number,
  entities: readonly Entity[],
  frame: Frame,
  bindings: Bindings,
): string {
  const { value, joins } = breakdownSql(breakdown, frame, bindings)
  const { fromMs, toMs } = frame
  const rows = eventRowsSql(
    frame,
    { fromMs, toMs, columns: [`${value} AS value`], joins, entities },
    bindings,
  )
  return (
    `SELECT value, count() AS amount FROM (${rows}) GROUP BY value ` +
    `ORDER BY amount DESC, value ASC LIMIT ${bindings.bind(limit, 'UInt64')}`
  )
}

/** Bounds of bins that hold about as many events each: one row with `edges`, ascending, empty without numbers. */
export function binEdgesSql(
  breakdown: Breakdown,
  binCount: number,
  entities: readonly Entity[],
  frame: Frame,
  bindings: Bindings,
): string {
  const { value, joins } = breakdownSql(breakdown, frame, bindings)
  const { fromMs, toMs } = frame
  const rows = eventRowsSql(
    frame,
    { fromMs, toMs, columns: [`toFloat64OrNull(${value}) AS number`], joins, entities },
    bindings,
  )
  const levels = Array.from({ length: binCount + 1 }, (_, bin) => bin / binCount).join(', ')
  return (
    `SELECT arrayDistinct(quantilesExactInclusiveIf(${levels})(ifNull(number, 0), isNotNull(number) AND isFinite(number))) ` +
    `AS edges, countIf(isNotNull(number)) AS amount FROM (${rows})`
  )
}

/**
 * The column pair `value, is_other` of a value: those with a line of their own, and all others together.
 *
 * @param value column that holds the value
 */
export function lineSql(value: string, values: BreakdownValues, bindings: Bindings): string {
  if (values.edges !== null) return `${binSql(value, values, bindings)} AS line, 0 AS is_other`
  const own = bindings.bind(values.values, 'Array(String)')
  return `if(has(${own}, ${value}), ${value}, '') AS line, if(has(${own}, ${value}), 0, 1) AS is_other`
}

/** Text: the name of the bin that a number lies in, empty for what is no number. */
export function binSql(value: string, { values, edges }: BreakdownValues, bindings: Bindings): string {
  if (edges === null || edges.length === 0) return "''"
  // The upper bound of the last bin belongs to it.
  const lower = bindings.bind(edges.slice(0, -1), 'Array(Float64)')
  const names = bindings.bind(values, 'Array(String)')
  const number = `toFloat64OrNull(${value})`
  return (
    `if(isNull(${number}) OR NOT isFinite(ifNull(${number}, 0)), '', ` +
    `${names}[arrayCount(edge -> edge <= assumeNotNull(${number}), ${lower})])`
  )
}
