/** Times that every sink can hold, epoch milliseconds: 1900-01-01 to 2299-12-31. */
export const READABLE_TIME_MIN_MS = Date.UTC(1900, 0, 1)
export const READABLE_TIME_MAX_MS = Date.UTC(2300, 0, 1) - 1

const ISO =
  /^(\d{4})-(\d{2})-(\d{2})(?:[Tt ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9})\d{0,20})?)?(?:([Zz])| ?([+-])(\d{2}):?(\d{2})?)?)?$/

/**
 * A client's time as epoch milliseconds.
 *
 * Read are numbers and all-digit text as epoch milliseconds, and ISO 8601: a date alone (midnight UTC), or date and
 * time with seconds and fraction optional; without an offset it is UTC. `Date.parse` is not asked, because what it
 * makes of other text depends on the engine and on the machine's time zone.
 *
 * @returns null for anything else, and for times before 1900 or after 2299
 */
export function readTime(value: string | number): number | null {
  const ms = typeof value === 'number' ? Math.round(value) : readText(value)
  // NaN fails both comparisons.
  return ms !== null && ms >= READABLE_TIME_MIN_MS && ms <= READABLE_TIME_MAX_MS ? ms : null
}

function readText(text: string): number | null {
  if (text.length > 64) return null
  const match = ISO.exec(text)
  if (!match) return /^\d{9,15}$/.test(text) ? Number(text) : null
  const part = (index: number) => Number(match[index] ?? 0)
  const [year, month, day, hour, minute, second] = [part(1), part(2), part(3), part(4), part(5), part(6)]
  if (month < 1 || month > 12 || day < 1 || day > daysIn(year, month)) return null
  // 24:00 is midnight at the end of a day, 60 a leap second; both are legal and become the next instant.
  if (hour > 24 || (hour === 24 && (minute > 0 || second > 0)) || minute > 59 || second > 60) return null
  const milliseconds = Number((match[7] ?? '').padEnd(3, '0').slice(0, 3))
  const utc = Date.UTC(year, month - 1, day, hour, minute, second, milliseconds)
  // Date.UTC reads years 0 to 99 as 19xx; those are out of range anyway.
  if (year < 100) return null
  if (match[9] === undefined) return utc
  const offsetMinutes = part(10) * 60 + part(11)
  if (part(10) > 23 || part(11) > 59) return null
  return utc - (match[9] === '-' ? -1 : 1) * offsetMinutes * 60_000
}

function daysIn(year: number, month: number): number {
  return new Date(Date.UTC(year, month, 0)).getUTCDate()
}

/** The one way times are written: `2026-01-31T23:59:59.123Z`. */
export function writeTime(ms: number): string {
  return new Date(ms).toISOString()
}
