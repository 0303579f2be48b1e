import { ENRICHED_EVENT_FIELDS } from '../../../schemas/enriched-event/v1.ts'
import { FilterError } from '../../core/event/filter-expression.ts'
import { parseFilter } from '../../core/event/filter-parser.ts'
import { invalidInput } from '../http/api-error.ts'
import { PROPERTY_COLUMNS } from '../query/event-properties.ts'
import {
  type Filter,
  type FilterGroup,
  type Operator,
  type PropertyFilter,
  readFilterTree,
} from '../query/property-filters.ts'

const ATTR = 'filters'
const COLUMN_OF: ReadonlyMap<string, string> = new Map(Object.entries(PROPERTY_COLUMNS))
const TYPE_OF = new Map(ENRICHED_EVENT_FIELDS.map(({ name, type }) => [name as string, type]))
const COMPARISONS: Partial<Record<Operator, string>> = { gt: '>', gte: '>=', lt: '<', lte: '<=' }

/**
 * Property filters of an export as the condition of its delivery (docs/filters.md). What such a condition cannot say is
 * refused: it would deliver other events than the same filters show.
 *
 * @param filters as clients send them: a list, or a group of them
 * @returns null where they ask for nothing
 * @throws ApiError 400
 */
export function whereOf(filters: unknown): string | null {
  const group = readFilterTree(filters, ATTR)
  if (group.parts.length === 0) return null
  const where = conditionOf(group)
  try {
    parseFilter(where, ENRICHED_EVENT_FIELDS)
  } catch (error) {
    if (!(error instanceof FilterError)) throw error
    throw invalidInput(
      ATTR,
      `These filters cannot be a condition of a delivery: ${error.fault.message} Send fewer or shorter ones.`,
    )
  }
  return where
}

function conditionOf(part: FilterGroup | Filter): string {
  if ('parts' in part) {
    if (part.parts.length === 0) throw invalidInput(ATTR, 'A group has at least one filter in "values".')
    return `(${part.parts.map(conditionOf).join(part.kind === 'AND' ? ' and ' : ' or ')})`
  }
  if (part.kind !== 'filter') throw new Error('Filters of exports are about properties of events.')
  switch (part.operator) {
    case 'exact':
      return exactly(part)
    case 'is_not':
      return `not ${exactly(part)}`
    case 'is_set':
      return isSet(part)
    case 'is_not_set':
      return `not ${isSet(part)}`
    case 'gt':
    case 'gte':
    case 'lt':
    case 'lte':
      return compared(part)
    default:
      throw invalidInput(
        ATTR,
        `An export cannot filter with ${part.operator}. Use exact, is_not, is_set, is_not_set, gt, gte, lt or lte, or leave it out and filter where the files are loaded.`,
      )
  }
}

const own = (key: string) => `properties[${quoted(key)}]`

/** A property is the customer's own, else what enrichment found; so is a condition on it. */
function onEither({ key }: PropertyFilter, onOwn: string, onColumn: string | null): string {
  return onColumn === null ? `(${onOwn})` : `(${onOwn} or (${own(key)} is null and ${onColumn}))`
}

function exactly(filter: PropertyFilter): string {
  const { key, values } = filter
  if (values.length === 0) throw invalidInput(ATTR, 'exact and is_not need a "value".')
  const column = COLUMN_OF.get(key)
  const ofColumn = column === undefined ? [] : values.flatMap((value) => literalsOf(value, typeOf(column)))
  return onEither(
    filter,
    `${own(key)} in (${values.flatMap((value) => literalsOf(value, null)).join(', ')})`,
    ofColumn.length === 0 ? null : `${column} in (${ofColumn.join(', ')})`,
  )
}

function isSet(filter: PropertyFilter): string {
  const column = COLUMN_OF.get(filter.key)
  return onEither(
    filter,
    `${own(filter.key)} is not null`,
    column === undefined ? null : `${column} is not null`,
  )
}

function compared(filter: PropertyFilter): string {
  const { key, operator, values } = filter
  const [number] = literalsOf(values[0] ?? '', 'number')
  if (number === undefined) throw invalidInput(ATTR, `An export compares numbers alone with ${operator}.`)
  const column = COLUMN_OF.get(key)
  const isNumeric = column !== undefined && ['number', 'integer'].includes(typeOf(column))
  const sign = COMPARISONS[operator]
  return onEither(filter, `${own(key)} ${sign} ${number}`, isNumeric ? `${column} ${sign} ${number}` : null)
}

/**
 * What a text may stand for, in the language of filters: analytics compare numbers and truth values by their text.
 *
 * @param type of the column; null for a property, which may be of any
 */
function literalsOf(text: string, type: string | null): string[] {
  const isNumber = String(Number(text)) === text && Math.abs(Number(text)) <= Number.MAX_SAFE_INTEGER
  return [
    ...(type === null || type === 'text' ? [quoted(text)] : []),
    ...(isNumber && (type === null || type === 'number' || type === 'integer') ? [text] : []),
    ...((text === 'true' || text === 'false') && (type === null || type === 'boolean') ? [text] : []),
  ]
}

function typeOf(column: string): string {
  const type = TYPE_OF.get(column)
  if (type === undefined) throw new Error(`There is no column ${column}.`)
  return type
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}
