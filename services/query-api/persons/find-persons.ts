import { notFound } from '../http/api-error.ts'
import type { Ask } from '../query/ask.ts'
import type { Bindings } from '../query/bindings.ts'
import { inPieces } from '../query/owned-ids.ts'
import type { Question } from '../query/question.ts'
import { personsByDistinctIdSql, personsByUuidSql } from './person-query.ts'

const UUID = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i

export function isUuid(text: string): boolean {
  return UUID.test(text)
}

type NamedSql = (dataset: string, names: readonly string[], bindings: Bindings) => string

/** @returns keys of persons, by what was asked for; what names nobody who lives is not in it */
async function keysBy(
  ask: Ask,
  question: Question,
  names: readonly string[],
  sql: NamedSql,
): Promise<ReadonlyMap<string, string>> {
  const keys = new Map<string, string>()
  for (const some of inPieces([...new Set(names)]))
    for (const { asked, key } of await ask<{ asked: string; key: string }>(question, (bindings) =>
      sql(question.dataset.id, some, bindings),
    ))
      keys.set(asked, key)
  return keys
}

export function keysByUuid(ask: Ask, question: Question, uuids: readonly string[]) {
  return keysBy(
    ask,
    question,
    uuids.map((uuid) => uuid.toLowerCase()),
    personsByUuidSql,
  )
}

export function keysByDistinctId(ask: Ask, question: Question, ids: readonly string[]) {
  return keysBy(ask, question, ids, personsByDistinctIdSql)
}

/**
 * Whom the last part of a path means: the id of a person, else a distinct id. Distinct ids may look like ids of
 * persons; the person goes before.
 *
 * @returns the person's key
 * @throws ApiError 404
 */
export async function findPerson(ask: Ask, question: Question, id: string): Promise<string> {
  const byUuid = isUuid(id) ? (await keysByUuid(ask, question, [id])).get(id.toLowerCase()) : undefined
  const key = byUuid ?? (await keysByDistinctId(ask, question, [id])).get(id)
  if (key === undefined) throw notFound('There is no such person.')
  return key
}
