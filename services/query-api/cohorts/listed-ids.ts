import { parse } from 'csv-parse/sync'
import { invalidInput } from '../http/api-error.ts'

/** Of one id, characters. */
const ID_LENGTH_MAX = 400
/** How a first line calls the column that holds them. */
const HEADERS = ['distinct_id', 'distinct_ids', 'distinctid']

/**
 * Distinct ids of a CSV file: the column that the first line calls `distinct_id`, or the first one of every line.
 *
 * @throws ApiError 400 for what is no CSV, and for an id that is too long
 */
export function distinctIdsOf(csv: string): string[] {
  const [first = [], ...others] = rowsOf(csv)
  const named = first.findIndex((cell) => HEADERS.includes(cell.trim().toLowerCase()))
  const rows = named < 0 ? [first, ...others] : others
  return checkedIds(
    rows.map((row) => row[Math.max(named, 0)] ?? ''),
    'csv',
  )
}

/** Each once, without blank ones. @throws ApiError 400 */
export function checkedIds(ids: readonly string[], attr: string): string[] {
  const long = ids.find((id) => id.length > ID_LENGTH_MAX)
  if (long !== undefined)
    throw invalidInput(attr, `A distinct id has at most ${ID_LENGTH_MAX} characters.`, 'max_length')
  return [...new Set(ids.filter((id) => id.trim() !== ''))]
}

function rowsOf(csv: string): string[][] {
  try {
    return parse(csv, { bom: true, relax_column_count: true, skip_empty_lines: true })
  } catch (error) {
    throw invalidInput('csv', `This is not CSV: ${(error as Error).message}`, 'parse_error')
  }
}
