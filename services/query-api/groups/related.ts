import { actorRows } from '../insights/people.ts'
import { findPerson } from '../persons/find-persons.ts'
import type { Ask } from '../query/ask.ts'
import type { Bindings } from '../query/bindings.ts'
import { groupKeySql } from '../query/group-rows.ts'
import { PERSON_KEY, withPersonSql } from '../query/person-rows.ts'
import { FILTER_LIMITS } from '../query/property-filters.ts'
import type { Question } from '../query/question.ts'
import { timeSql } from '../query/time-sql.ts'

/** Events that are looked at, ms back from now. */
export const RELATED_MS = 90 * 86_400_000
/** Persons, and groups of one type, of one answer. */
export const RELATED_MAX = 100

/** Whose relations are asked for: a group, or without an index a person. */
export interface RelatedRequest {
  readonly id: string
  readonly index: number | null
}

/**
 * Persons and groups that were named by the same events: those of the group, or of the person.
 *
 * @throws ApiError 404 for a person who is not there
 */
export async function relatedTo(ask: Ask, question: Question, { id, index }: RelatedRequest, nowMs: number) {
  const dataset = question.dataset.id
  const person = index === null ? await findPerson(ask, question, id) : null
  const events = (bindings: Bindings) => {
    const own = `dataset_id = ${bindings.bind(dataset, 'String')}`
    const whose =
      index === null
        ? `distinct_id IN (SELECT distinct_id FROM person_distinct_ids FINAL WHERE ${own} AND NOT is_deleted ` +
          `AND person_key = ${bindings.bind(person ?? '', 'String')})`
        : `${groupKeySql(dataset, index, bindings)} = ${bindings.bind(id, 'String')}`
    return `FROM events WHERE ${own} AND event_time >= ${timeSql(nowMs - RELATED_MS, bindings)} AND ${whose}`
  }
  const keysOf = async (sql: (bindings: Bindings) => string) =>
    (
      await ask<{ key: string }>(question, (bindings) => `${sql(bindings)} ORDER BY key LIMIT ${RELATED_MAX}`)
    ).map(({ key }) => key)
  const others = [...Array(FILTER_LIMITS.groupTypes).keys()].filter((other) => other !== index)
  const groups = await Promise.all(
    others.map(async (other) => {
      const keys = await keysOf(
        (bindings) =>
          `SELECT DISTINCT ${groupKeySql(dataset, other, bindings)} AS key ${events(bindings)} AND key != ''`,
      )
      return actorRows(ask, question, keys, other)
    }),
  )
  if (index === null) return groups.flat()
  const persons = await keysOf((bindings) => {
    const rows = `SELECT distinct_id ${events(bindings)} AND ifNull(distinct_id, '') != ''`
    return `SELECT DISTINCT ${PERSON_KEY} AS key FROM (${withPersonSql(rows, dataset, bindings)})`
  })
  return [...(await actorRows(ask, question, persons, null)), ...groups.flat()]
}
