/** `raw` keeps every value as it is, for programs; `spreadsheet` keeps a spreadsheet from running one as a formula. */
export const CSV_MODES = ['spreadsheet', 'raw'] as const
export type CsvMode = (typeof CSV_MODES)[number]

/** RFC 4180: CRLF line ends, quotes where needed, quotes doubled. A header line, then a line per row. */
export function csvText(
  header: readonly string[],
  rows: readonly (readonly (string | number | null)[])[],
  mode: CsvMode,
): string {
  let text = `${header.join(',')}\r\n`
  for (const row of rows) text += `${row.map((value) => cell(value, mode)).join(',')}\r\n`
  return text
}

/**
 * Beginnings that spreadsheets take for a formula, the full-width ones included, and the control characters that
 * they skip before looking.
 */
const FORMULA = /^[\s\0]*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r\n\0]/
const PLAIN_NUMBER = /^-?\d+(?:\.\d+)?$/

function cell(value: string | number | null, mode: CsvMode): string {
  if (value === null) return ''
  if (typeof value === 'number') return String(value)
  const isRisky = mode === 'spreadsheet' && FORMULA.test(value) && !PLAIN_NUMBER.test(value)
  const guarded = isRisky ? `'${value}` : value
  return /[",\r\n]/.test(guarded) ? `"${guarded.replaceAll('"', '""')}"` : guarded
}
