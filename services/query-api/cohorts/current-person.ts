import type { Ask } from '../query/ask.ts'
import { PERSON_KEY, withPersonSql } from '../query/person-rows.ts'
import type { Question } from '../query/question.ts'

/** The key of the person that a distinct id belongs to now; its own name for one that nobody has. */
export async function personOfDistinctId(ask: Ask, question: Question, distinctId: string): Promise<string> {
  const [row] = await ask<{ key: string }>(question, (bindings) => {
    const id = `SELECT ${bindings.bind(distinctId, 'String')} AS distinct_id`
    return `SELECT ${PERSON_KEY} AS key FROM (${withPersonSql(id, question.dataset.id, bindings)})`
  })
  return row?.key ?? distinctId
}

/** The key of the person with an id as the API gives it away; null when there is none. */
export async function personOfId(ask: Ask, question: Question, id: string): Promise<string | null> {
  const [row] = await ask<{ key: string }>(
    question,
    (bindings) =>
      'SELECT person_key AS key FROM persons ' +
      `WHERE dataset_id = ${bindings.bind(question.dataset.id, 'String')} ` +
      `AND person_id = toUUIDOrZero(${bindings.bind(id, 'String')}) ` +
      'GROUP BY person_key HAVING argMax(is_deleted, version) = 0 LIMIT 1',
  )
  return row?.key ?? null
}
