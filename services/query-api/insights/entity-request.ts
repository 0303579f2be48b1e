import { invalidInput } from '../http/api-error.ts'
import { JSON_LENGTH_MAX, jsonParameter as readJson } from '../http/json-parameter.ts'
import { NAME_LENGTH_MAX, type RawQuery, TEXT_LENGTH_MAX, textParameter } from '../http/request-parameters.ts'
import { FILTER_TYPES, type FilterGroup, readFilterTree } from '../query/property-filters.ts'

/** What a series, a step or an exclusion is about, as asked: events of a name, or an action by its id. */
export interface EntityRequest {
  readonly type: 'events' | 'actions'
  /** Name of the event, null for any; id of the action. */
  readonly id: string | number | null
  readonly name: string
  readonly customName: string | null
  readonly order: number
  readonly filters: FilterGroup
}

type JsonMembers = Readonly<Record<string, unknown>>

const MEMBERS = ['id', 'type', 'order', 'name', 'custom_name', 'properties', 'index', 'uuid'] as const

/**
 * `events` and `actions` of a question, in one order: by `order` where it is given, else as they stand, events first.
 *
 * @param own     members that entities of this question have besides their common ones
 * @param readOwn reads those
 * @throws ApiError 400 naming the member at fault
 */
export function readEntities<Own extends object>(
  query: RawQuery,
  own: readonly string[],
  readOwn: (given: JsonMembers, attr: string) => Own,
): (EntityRequest & Own)[] {
  const listed = (['events', 'actions'] as const).flatMap((type) =>
    jsonList(query, type).map((given) => ({ type, given: objectOf(given, type) })),
  )
  return listed
    .map(({ type, given }, place) => ({ type, given, order: orderOf(given, place, type), place }))
    .sort((a, b) => a.order - b.order || a.place - b.place)
    .map(({ type, given }, order) => ({
      ...readEntity(given, type, type, order, own),
      ...readOwn(given, type),
    }))
}

/** @throws ApiError 400 for text that is no JSON list */
export function jsonList(query: RawQuery, name: string): readonly unknown[] {
  const value = jsonParameter(query, name)
  if (value === null) return []
  if (!Array.isArray(value)) throw invalidInput(name, `${name} must be a list.`)
  return value
}

/** The value of a parameter that is sent as JSON; null where it is not sent. */
export function jsonParameter(query: RawQuery, name: string): unknown {
  return readJson(query, name, `This is not JSON. Send ${name} like [{"id":"purchase"}].`) ?? null
}

/**
 * One entity: `{id, type, name, custom_name, properties}`.
 *
 * @param type what it is when it does not say so itself
 * @param attr parameter that it stands in
 */
export function readEntity(
  given: JsonMembers,
  type: EntityRequest['type'],
  attr: string,
  order: number,
  own: readonly string[] = [],
): EntityRequest {
  const unknown = Object.keys(given).find((key) => ![...MEMBERS, ...own].includes(key))
  if (unknown !== undefined)
    throw invalidInput(
      `${attr}__${unknown.slice(0, NAME_LENGTH_MAX)}`,
      `What stands here has ${[...MEMBERS, ...own].join(', ')}; nothing else is supported.`,
    )
  const kind = given.type ?? type
  if (kind !== 'events' && kind !== 'actions')
    throw invalidInput(`${attr}__type`, 'type must be "events" or "actions".')
  const id = idOf(given.id, kind, attr)
  const name = optionalText(given.name, `${attr}__name`)
  return {
    type: kind,
    id,
    name: name ?? (id === null ? 'All events' : String(id)),
    customName: optionalText(given.custom_name, `${attr}__custom_name`),
    order,
    filters: readFilterTree(given.properties ?? [], `${attr}__properties`, FILTER_TYPES),
  }
}

/** An entity that a parameter of its own holds: text names an event, JSON may say more. */
export function entityParameter(query: RawQuery, name: string, otherwise: string): EntityRequest {
  const text = textParameter(query, name, JSON_LENGTH_MAX)
  if (text === null) return readEntity({ id: otherwise }, 'events', name, 0)
  if (!text.startsWith('{')) return readEntity({ id: text }, 'events', name, 0)
  return readEntity(objectOf(jsonParameter(query, name), name), 'events', name, 0)
}

function idOf(id: unknown, type: EntityRequest['type'], attr: string): string | number | null {
  if (type === 'events') return optionalText(id, `${attr}__id`)
  const number = typeof id === 'string' && /^\d{1,15}$/.test(id) ? Number(id) : id
  if (typeof number === 'number' && Number.isSafeInteger(number) && number >= 0) return number
  throw invalidInput(`${attr}__id`, 'The id of an action is a whole number.')
}

function orderOf(given: JsonMembers, place: number, attr: string): number {
  const { order } = given
  if (order === undefined || order === null) return place
  if (typeof order === 'number' && Number.isSafeInteger(order) && order >= 0) return order
  throw invalidInput(`${attr}__order`, 'order is a whole number from 0.')
}

export function objectOf(value: unknown, attr: string): JsonMembers {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as JsonMembers
  throw invalidInput(attr, `${attr} holds objects like {"id":"purchase"}.`)
}

/** @throws ApiError 400 for anything but nothing, null and text of bearable length */
export function optionalText(value: unknown, attr: string): string | null {
  if (value === undefined || value === null) return null
  if (typeof value === 'string' && value.length <= TEXT_LENGTH_MAX) return value
  throw invalidInput(attr, `This must be text of at most ${TEXT_LENGTH_MAX} characters.`)
}
