import { type RawBuilder, sql } from 'kysely'
import { invalidInput } from '../http/api-error.ts'
import type { ListFilters } from './object-store.ts'

/**
 * The condition where a filter asks for it, nothing where it does not.
 *
 * @throws ApiError 400 for what is neither true nor false
 */
export function flagged(
  filters: ListFilters,
  name: string,
  condition: RawBuilder<unknown>,
): readonly RawBuilder<unknown>[] {
  const text = filters[name] ?? 'false'
  if (text === 'true' || text === '1') return [condition]
  if (text === 'false' || text === '0') return []
  throw invalidInput(name, `${name} must be true or false.`)
}

/**
 * The order that the filter `ordering` names.
 *
 * @param orders    by their names; each must be total
 * @param otherwise name of the usual one
 * @throws ApiError 400
 */
export function orderedBy<N extends string>(
  orders: Readonly<Record<N, RawBuilder<unknown>>>,
  otherwise: N,
): (filters: ListFilters) => RawBuilder<unknown> {
  return ({ ordering }) => {
    const name = ordering ?? otherwise
    if (Object.hasOwn(orders, name)) return orders[name as N]
    throw invalidInput('ordering', `ordering must be one of ${Object.keys(orders).join(', ')}.`)
  }
}

/** The last one to change first, or the other way round; names in any case; as they were made. */
export const USUAL_ORDERS = {
  '-updated_at': sql`updated_at DESC, id DESC`,
  updated_at: sql`updated_at, id`,
  name: sql`lower(name), id`,
  '-name': sql`lower(name) DESC, id DESC`,
  created_at: sql`created_at, id`,
  '-created_at': sql`created_at DESC, id DESC`,
} as const
