import { firstIdOf } from '../../core/event/person-id.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { notFound } from '../http/api-error.ts'
import type { Definitions } from '../insights/definitions.ts'
import { cohortsOf } from '../insights/frame.ts'
import type { Ask } from '../query/ask.ts'
import type { Bindings } from '../query/bindings.ts'
import { decodeCreatedCursor, encodeCreatedCursor } from '../query/created-cursor.ts'
import { invalidPatterns } from '../query/invalid-patterns.ts'
import { inPieces, type OwnedIds, ownedIds } from '../query/owned-ids.ts'
import { personName } from '../query/person-name.ts'
import { filtersOf } from '../query/property-filters.ts'
import type { Question } from '../query/question.ts'
import { findPerson } from './find-persons.ts'
import {
  NEWEST_FIRST,
  type PersonOrder,
  type PersonRecord,
  type PersonScope,
  personCountSql,
  personPageSql,
  personsByKeySql,
} from './person-query.ts'
import { PERSON_LIMITS, type PersonsRequest } from './persons-request.ts'

/** A person as the API gives it, as of now. */
export interface PersonView {
  readonly type: 'person'
  /** The same as `uuid`: clients know both. */
  readonly id: string
  readonly uuid: string
  readonly name: string
  readonly distinct_ids: readonly string[]
  /** Of all distinct ids, also of those that are not shown. */
  readonly distinct_id_count: number
  readonly properties: Readonly<Record<string, unknown>>
  /** When they were so: at the time of the answer, whatever time it is about. */
  readonly properties_as_of: 'now'
  readonly created_at: string
  readonly is_identified: boolean
}

export interface PersonsPage {
  readonly rows: readonly PersonView[]
  /** Cursor of the next page; null on the last one. */
  readonly nextCursor: string | null
  /** Null when it was not asked for. */
  readonly count: number | null
}

export interface PersonNeeds {
  readonly ask: Ask
  readonly clock: Pick<Clock, 'now'>
  readonly definitions: Definitions
}

/** Distinct ids of one person that is asked for alone: all that a person may have. */
const DISTINCT_IDS_OF_ONE_MAX = 10_000

/**
 * One page of persons. It is as long as `limit` says whenever another one follows.
 *
 * @param order another than the newest first goes on by `offset`: what the cursor says is then only that there are more
 */
export async function listPersons(
  needs: PersonNeeds,
  question: Question,
  request: PersonsRequest & { readonly limit: number },
  order: PersonOrder = NEWEST_FIRST,
): Promise<PersonsPage> {
  const { ask } = needs
  const { selection, limit, offset, cursor } = request
  const scopeOf = await personScopes(needs, question, request)
  const records = await ask<PersonRecord>(question, (bindings) =>
    personPageSql(selection, { limit: limit + 1, offset: offset ?? 0, cursor }, scopeOf(bindings), order),
  )
  const shown = records.slice(0, limit)
  const last = shown.at(-1)
  const counted = request.includeTotal
    ? await ask<{ persons: number | string }>(question, (bindings) =>
        personCountSql(selection, scopeOf(bindings)),
      )
    : null
  return {
    rows: await views(ask, question, shown),
    nextCursor:
      records.length > limit && last !== undefined
        ? encodeCreatedCursor({ createdMs: Number(last.created_ms), key: last.the_person })
        : null,
    count: counted === null ? null : Number(counted[0]?.persons ?? 0),
  }
}

/**
 * All persons of a request. Each of them is put together from many rows, so ClickHouse cannot stream them: pages follow
 * one another by the cursor, the next one when the one before was taken.
 */
export async function* streamPersons(
  needs: PersonNeeds,
  question: Question,
  request: PersonsRequest,
): AsyncGenerator<PersonView> {
  let { cursor } = request
  for (;;) {
    const page = { ...request, cursor, limit: PERSON_LIMITS.jsonMax, includeTotal: false }
    const { rows, nextCursor } = await listPersons(needs, question, page)
    yield* rows
    if (nextCursor === null) return
    cursor = decodeCreatedCursor(nextCursor)
  }
}

/** @throws ApiError 404 */
export async function getPerson(ask: Ask, question: Question, id: string): Promise<PersonView> {
  const key = await findPerson(ask, question, id)
  const view = (await getPersons(ask, question, [key], DISTINCT_IDS_OF_ONE_MAX)).get(key)
  if (view === undefined) throw notFound('There is no such person.')
  return view
}

/**
 * Persons by their keys.
 *
 * @param shownMax distinct ids of each; left out: as many as lists show
 * @returns those who live
 */
export async function getPersons(
  ask: Ask,
  question: Question,
  keys: readonly string[],
  shownMax?: number,
): Promise<ReadonlyMap<string, PersonView>> {
  const found = new Map<string, PersonView>()
  for (const some of inPieces(keys)) {
    const records = await ask<PersonRecord>(question, (bindings) =>
      personsByKeySql(question.dataset.id, some, bindings),
    )
    const shown = await views(ask, question, records, shownMax)
    records.forEach(({ the_person }, place) => void found.set(the_person, shown[place] as PersonView))
  }
  return found
}

/** Looks up what filters name. @throws ApiError 400 for a cohort that is not there */
async function personScopes(
  { ask, clock, definitions }: PersonNeeds,
  question: Question,
  { selection: { filters } }: PersonsRequest,
): Promise<(bindings: Bindings) => PersonScope> {
  const { dataset, zone } = question
  const ids = filtersOf(filters).flatMap((one) => (one.kind === 'cohort' ? [one.id] : []))
  const cohorts = await cohortsOf([...new Set(ids)], dataset.id, { definitions })
  const invalid = await invalidPatterns(ask, question, [filters])
  return (bindings) => ({
    dataset: dataset.id,
    bindings,
    zone,
    nowMs: clock.now(),
    invalidPatterns: invalid,
    sessions: { fromMs: null, toMs: null },
    cohorts: new Map(cohorts.map(({ id, members }) => [id, members])),
    ownProperties: 'properties',
  })
}

async function views(
  ask: Ask,
  question: Question,
  records: readonly PersonRecord[],
  shownMax?: number,
): Promise<PersonView[]> {
  const owned = await ownedIds(
    ask,
    question,
    records.map(({ the_person }) => the_person),
    shownMax,
  )
  return records.map((record) => viewOf(record, owned.get(record.the_person)))
}

/** A person whose ids are told a moment later than itself has the id that it began with. */
function viewOf(record: PersonRecord, owned: OwnedIds | undefined): PersonView {
  const { ids, count } = owned ?? { ids: [firstIdOf(record.the_person)], count: 1 }
  const properties = JSON.parse(record.properties) as Record<string, unknown>
  return {
    type: 'person',
    id: record.person_id,
    uuid: record.person_id,
    name: personName(properties, ids),
    distinct_ids: ids,
    distinct_id_count: count,
    properties,
    properties_as_of: 'now',
    created_at: new Date(Number(record.created_ms)).toISOString(),
    is_identified: record.is_identified,
  }
}
