import type { CohortRow } from '../../core/metadata/metadata-tables.ts'
import type { ListPage } from '../http/list-page.ts'
import { type ActorRow, actorRows, peopleOf } from '../insights/people.ts'
import type { Ask } from '../query/ask.ts'
import { overridesSql, PERSON_KEY, withPersonSql } from '../query/person-rows.ts'
import type { Question } from '../query/question.ts'
import { cohortDefinition } from './cohort-definition.ts'

/** Who is in a cohort, by key. @throws ApiError 400 for one that was not calculated yet */
export async function cohortPeople(
  ask: Ask,
  question: Question,
  row: CohortRow,
  page: ListPage,
): Promise<{ readonly people: readonly ActorRow[]; readonly count: number }> {
  const { members } = cohortDefinition(row)
  const { people, count } = await peopleOf(
    ask,
    question,
    (bindings) => `SELECT DISTINCT person AS actor, toUInt64(1) AS amount FROM (${members(bindings)})`,
    page,
    null,
  )
  return { people: people.map(({ value_at_data_point: _, ...person }) => person as ActorRow), count }
}

/** Somebody came into a cohort, or left it. */
export interface CohortChange {
  readonly calculation: number
  readonly changed_at: string
  readonly change: 'entered' | 'left'
  readonly person: ActorRow
}

/**
 * The latest changes first.
 *
 * @param calculations those that held, ascending or not: changes of others never happened
 * @param person       key of the only one that is asked about; null for everybody
 */
export async function cohortHistory(
  ask: Ask,
  question: Question,
  cohort: CohortRow,
  calculations: readonly number[],
  person: string | null,
  page: ListPage,
): Promise<{ readonly changes: readonly CohortChange[]; readonly count: number }> {
  const changesSql: Parameters<Ask>[1] = (bindings) => {
    const dataset = question.dataset.id
    const rows =
      'SELECT calculation, changed_at, is_member, distinct_id FROM cohort_changes ' +
      `WHERE dataset_id = ${bindings.bind(dataset, 'String')} AND cohort_id = ${bindings.bind(cohort.id, 'UInt64')} ` +
      `AND calculation IN (${bindings.bind(calculations, 'Array(Int64)')})`
    const only = person === null ? '' : ` WHERE ${PERSON_KEY} = ${bindings.bind(person, 'String')}`
    return (
      'SELECT calculation, toUnixTimestamp64Milli(changed_at) AS changed_ms, is_member, ' +
      `${PERSON_KEY} AS person FROM (${withPersonSql(rows, dataset, bindings)})${only}`
    )
  }
  const [counted] = await ask<{ changes: number | string }>(
    question,
    (bindings) => `SELECT count() AS changes FROM (${changesSql(bindings)})`,
  )
  const rows = await ask<{
    calculation: number | string
    changed_ms: number | string
    is_member: boolean | number
    person: string
  }>(
    question,
    (bindings) =>
      `SELECT * FROM (${changesSql(bindings)}) ORDER BY calculation DESC, person ASC, is_member ASC ` +
      `LIMIT ${bindings.bind(page.limit, 'UInt64')} OFFSET ${bindings.bind(page.offset, 'UInt64')}`,
  )
  const people = await actorRows(
    ask,
    question,
    rows.map((row) => row.person),
    null,
  )
  return {
    changes: rows.map((row, at) => ({
      calculation: Number(row.calculation),
      changed_at: new Date(Number(row.changed_ms)).toISOString(),
      change: Number(row.is_member) === 1 ? 'entered' : 'left',
      person: people[at] as ActorRow,
    })),
    count: Number(counted?.changes ?? 0),
  }
}

/** Numbers of those of the cohorts that a person is in. */
export async function cohortsOfPerson(
  ask: Ask,
  question: Question,
  person: string,
  rows: readonly CohortRow[],
): Promise<ReadonlySet<number>> {
  const found = await ask<{ cohort_id: number | string }>(question, (bindings) => {
    const dataset = question.dataset.id
    const ids = rows.map(({ id }) => id)
    const sets = bindings.bind(
      rows.map(({ calculation }) => calculation),
      'Array(Int64)',
    )
    const key = bindings.bind(person, 'String')
    const mine = `SELECT ${key} UNION ALL SELECT override_id FROM (${overridesSql(dataset, bindings)}) WHERE override_key = ${key}`
    const cohorts = bindings.bind(ids, 'Array(Int64)')
    const members =
      'SELECT cohort_id, distinct_id FROM cohort_members ' +
      `WHERE dataset_id = ${bindings.bind(dataset, 'String')} AND cohort_id IN (${cohorts}) ` +
      `AND calculation = ${sets}[indexOf(${cohorts}, toInt64(cohort_id))] AND distinct_id IN (${mine})`
    return (
      `SELECT DISTINCT cohort_id FROM (${withPersonSql(members, dataset, bindings)}) ` +
      `WHERE ${PERSON_KEY} = ${key}`
    )
  })
  return new Set(found.map(({ cohort_id: id }) => Number(id)))
}
