import { type ExpressionFilter, expressionHolds, expressionText } from './expressions.ts'
import {
  groupNow,
  groupOf,
  type Happening,
  type History,
  personNow,
  personOf,
  propertiesThen,
  textOf,
} from './history.ts'
import { sessionProperty } from './sessions.ts'

/** A filter as the API takes it. */
export interface Filter {
  readonly key: string
  readonly operator: string
  readonly value?: string | number | readonly string[]
  readonly type?: 'event' | 'person' | 'session' | 'group'
  readonly as_of?: undefined | 'now' | 'event'
  readonly group_type_index?: number
}

export interface FilterList {
  readonly type: 'AND' | 'OR'
  readonly values: readonly (Filter | ExpressionFilter | FilterList)[]
}

/** Whose a property is, or with `hogql` what an expression says. */
export type PropertyAsked = Omit<Filter, 'operator' | 'type'> & { readonly type?: Filter['type'] | 'hogql' }

/** What an event has under a name, of whoever the filter or breakdown is about; undefined or null where it is not set. */
export function propertyOf(history: History, event: Happening, filter: PropertyAsked): unknown {
  switch (filter.type ?? 'event') {
    case 'event':
      return event.properties[filter.key] ?? (filter.key === '$current_url' ? event.url : undefined)
    case 'person':
      return filter.as_of === 'event'
        ? propertiesThen(history, event)[filter.key]
        : personNow(history, personOf(history, event))?.properties[filter.key]
    case 'hogql':
      return expressionText(history, event, filter.key)
    case 'session':
      return event.session === null ? undefined : sessionProperty(history, event.session, filter.key)
    case 'group': {
      const index = filter.group_type_index ?? 0
      return groupNow(history, index, groupOf(history, event, index))?.properties[filter.key]
    }
  }
}

export function passes(history: History, event: Happening, filters: FilterList): boolean {
  const holds = (part: FilterList['values'][number]) => {
    if ('values' in part) return passes(history, event, part)
    if (part.type === 'hogql') return expressionHolds(history, event, part)
    return operatorHolds(propertyOf(history, event, part), part)
  }
  if (filters.values.length === 0) return true
  return filters.type === 'AND' ? filters.values.every(holds) : filters.values.some(holds)
}

/** Whether an operator holds of a value; undefined and null are not set. */
export function operatorHolds(value: unknown, { operator, value: asked }: Filter): boolean {
  const isSet = value !== undefined && value !== null && value !== ''
  const isThere = value !== undefined && value !== null
  const text = textOf(value)
  const wanted = [asked ?? ''].flat().map(String)
  const first = wanted[0] as string
  const number = text.trim() === '' ? Number.NaN : Number(text)
  switch (operator) {
    case 'exact':
      return isThere && wanted.includes(text)
    case 'is_not':
      return !(isThere && wanted.includes(text))
    case 'icontains':
      return isThere && text.toLowerCase().includes(first.toLowerCase())
    case 'not_icontains':
      return !(isThere && text.toLowerCase().includes(first.toLowerCase()))
    case 'regex':
      return isThere && new RegExp(first).test(text)
    case 'not_regex':
      return !(isThere && new RegExp(first).test(text))
    case 'gt':
      return isSet && number > Number(first)
    case 'gte':
      return isSet && number >= Number(first)
    case 'lt':
      return isSet && number < Number(first)
    case 'lte':
      return isSet && number <= Number(first)
    case 'is_set':
      return isThere
    case 'is_not_set':
      return !isThere
    default:
      throw new Error(`The reference has no operator ${operator}.`)
  }
}
