import { notFound } from '../http/api-error.ts'
import type { Ask } from '../query/ask.ts'
import type { Bindings } from '../query/bindings.ts'
import { inPieces } from '../query/owned-ids.ts'
import type { Question } from '../query/question.ts'
import { everByUuidSql, personsByDistinctIdSql, personsByUuidSql } from './person-query.ts'

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
 * Whom texts mean, each the id of a person or else a distinct id. Distinct ids may look like ids of persons; the person
 * goes before.
 *
 * @returns keys of persons, by what was asked for; what names nobody who lives is not in it
 */
export async function lookUpPersons(
  ask: Ask,
  question: Question,
  names: readonly string[],
): Promise<ReadonlyMap<string, string>> {
  const byUuid = await keysByUuid(ask, question, names.filter(isUuid))
  const others = names.filter((name) => !byUuid.has(name.toLowerCase()))
  const byDistinctId = await keysByDistinctId(ask, question, others)
  const found = names.flatMap((name): [string, string][] => {
    const key = byUuid.get(name.toLowerCase()) ?? byDistinctId.get(name)
    return key === undefined ? [] : [[name, key]]
  })
  return new Map(found)
}

/** The key of the person whom the last part of a path means. @throws ApiError 404 */
export async function findPerson(ask: Ask, question: Question, id: string): Promise<string> {
  const key = (await lookUpPersons(ask, question, [id])).get(id)
  if (key === undefined) throw notFound('There is no such person.')
  return key
}

/**
 * The same, where persons that were merged or deleted are meant too: by their own id.
 *
 * @throws ApiError 404
 */
export async function findPersonEver(ask: Ask, question: Question, id: string): Promise<string> {
  const alive = (await lookUpPersons(ask, question, [id])).get(id)
  if (alive !== undefined) return alive
  const [row] = isUuid(id)
    ? await ask<{ key: string }>(question, (bindings) =>
        everByUuidSql(question.dataset.id, id.toLowerCase(), bindings),
      )
    : []
  if (row === undefined) throw notFound('There is no such person.')
  return row.key
}
