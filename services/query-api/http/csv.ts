/** `raw` keeps every value as it is, for programs; `spreadsheet` keeps a spreadsheet from running one as a formula. */
export const CSV_MODES = ['spreadsheet', 'raw'] as const
export type CsvMode = (typeof CSV_MODES)[number]

export type CsvCell = string | number | boolean | null
export type CsvRow = readonly CsvCell[]

/** A value of any kind as a cell: lists, objects and booleans as JSON has them, what is not there as nothing. */
export function csvCell(value: unknown): string | number | null {
  if (value === null || value === undefined) return null
  if (typeof value === 'string' || typeof value === 'number') return value
  return JSON.stringify(value)
}

/** A small table as a whole: a header line, then a line per row. */
export function csvText(header: readonly string[], rows: readonly CsvRow[], mode: CsvMode): string {
  let text = csvLine(header, mode)
  for (const row of rows) text += csvLine(row, mode)
  return text
}

/** RFC 4180: cells with quotes where needed, quotes doubled, and CRLF at the end. */
export function csvLine(cells: CsvRow, mode: CsvMode): string {
  return `${cells.map((value) => cell(value, mode)).join(',')}\r\n`
}

/**
 * Beginnings that spreadsheets take for a formula, the full-width ones included, and the control characters that
 * they skip before looking.
 */
const FORMULA = /^[\s\0]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r\n\0]/
const PLAIN_NUMBER = /^-?\d+(?:\.\d+)?$/

function cell(value: CsvCell, mode: CsvMode): string {
  if (value === null) return ''
  if (typeof value !== 'string') return String(value)
  const isRisky = mode === 'spreadsheet' && FORMULA.test(value) && !PLAIN_NUMBER.test(value)
  const guarded = isRisky ? `'${value}` : value
  return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded
}
