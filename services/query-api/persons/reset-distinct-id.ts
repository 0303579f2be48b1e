import { Type } from '@sinclair/typebox'
import { personIdOf } from '../../core/event/person-id.ts'
import { choiceSchema } from '../http/choice-schema.ts'
import { readBody } from '../http/read-body.ts'
import type { Ask } from '../query/ask.ts'
import type { Question } from '../query/question.ts'
import { distinctIdSql } from './person-query.ts'

const NAME_LENGTH_MAX = 400

export const RESET_BODY = Type.Object(
  { distinct_id: Type.String({ minLength: 1, maxLength: NAME_LENGTH_MAX }) },
  { additionalProperties: false },
)

const STATES = {
  in_use: 'A person has it.',
  released: 'Its person was deleted. The next event that arrives with it makes a new person.',
  never_used: 'No person ever had it. The first event that arrives with it makes one.',
} as const

export const RESET_SCHEMA = Type.Object({
  success: Type.Literal(true),
  distinct_id: Type.String(),
  state: choiceSchema(Object.keys(STATES), { description: 'What it was found as, and stays.' }),
  explanation: Type.String(),
  person_id: Type.Union([Type.String(), Type.Null()], { description: 'Who has it.' }),
  commands: Type.Array(Type.Unknown(), { maxItems: 0, description: 'None: there is nothing to do.' }),
})

/**
 * What became of a distinct id. A deletion lets go of the ids of its person by itself, so none is ever in the way of a
 * new one, and a reset has nothing to change.
 *
 * @throws ApiError 400
 */
export async function resetDistinctId(ask: Ask, question: Question, body: unknown) {
  const { distinct_id } = readBody(RESET_BODY, body)
  const [row] = await ask<{ key: string; is_deleted: boolean }>(question, (bindings) =>
    distinctIdSql(question.dataset.id, distinct_id, bindings),
  )
  const state = row === undefined ? 'never_used' : row.is_deleted ? 'released' : 'in_use'
  return {
    success: true,
    distinct_id,
    state,
    explanation: STATES[state],
    person_id: row === undefined || row.is_deleted ? null : personIdOf(question.dataset.id, row.key),
    commands: [],
  }
}

export const RESET_EXAMPLE = {
  body: { distinct_id: 'user-7' },
  answer: {
    success: true,
    distinct_id: 'user-7',
    state: 'released',
    explanation: STATES.released,
    person_id: null,
    commands: [],
  },
}
