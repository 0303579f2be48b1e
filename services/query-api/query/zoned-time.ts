/** Name of an IANA time zone that this process knows; made by {@link timeZone} only, but for {@link UTC}. */
export type TimeZone = string & { readonly __zone: true }

export const UTC = 'UTC' as TimeZone

/** Null for a name that is none. */
export function timeZone(name: string): TimeZone | null {
  try {
    formatterOf(name)
    return name as TimeZone
  } catch {
    return null
  }
}

export const INTERVALS = ['hour', 'day', 'week', 'month'] as const
export type Interval = (typeof INTERVALS)[number]

/** Wall clock of a zone. `month` from 1, `weekday` from 0 for Sunday. */
export interface LocalTime {
  readonly year: number
  readonly month: number
  readonly day: number
  readonly hour: number
  readonly minute: number
  readonly second: number
  readonly weekday: number
}

const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
const formatters = new Map<string, Intl.DateTimeFormat>()

function formatterOf(zone: string): Intl.DateTimeFormat {
  let formatter = formatters.get(zone)
  if (formatter === undefined) {
    formatter = new Intl.DateTimeFormat('en-US', {
      timeZone: zone,
      hourCycle: 'h23',
      era: 'short',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    })
    // Offsets like +05:30 are zones to Intl but not to ClickHouse.
    if (!/^[A-Za-z][A-Za-z0-9_+\-/]*$/.test(zone)) throw new RangeError(`no such zone: ${zone}`)
    formatters.set(zone, formatter)
  }
  return formatter
}

export function localTime(ms: number, zone: TimeZone): LocalTime {
  const local = new Date(ms + offsetMs(ms, zone))
  return {
    year: local.getUTCFullYear(),
    month: local.getUTCMonth() + 1,
    day: local.getUTCDate(),
    hour: local.getUTCHours(),
    minute: local.getUTCMinutes(),
    second: local.getUTCSeconds(),
    weekday: local.getUTCDay(),
  }
}

/** What the zone's clocks show minus UTC, at that instant. */
function offsetMs(ms: number, zone: TimeZone): number {
  const part: Record<string, string> = {}
  for (const { type, value } of formatterOf(zone).formatToParts(ms)) part[type] = value
  const year = part.era === 'BC' ? 1 - Number(part.year) : Number(part.year)
  const shown = new Date(0)
  shown.setUTCFullYear(year, Number(part.month) - 1, Number(part.day))
  shown.setUTCHours(Number(part.hour), Number(part.minute), Number(part.second))
  return shown.getTime() - Math.floor(ms / 1000) * 1000
}

/**
 * The instant at which a zone's clocks show that time: the first one when they show it twice, the moment of the
 * jump when they skip it (some zones have no midnight on the day that summer time begins).
 *
 * @param wallMs the wall-clock time as if it were UTC
 */
function instantOf(wallMs: number, zone: TimeZone): number {
  const candidates = [wallMs - offsetMs(wallMs - DAY_MS, zone), wallMs - offsetMs(wallMs + DAY_MS, zone)]
  const shown = candidates.filter((ms) => ms + offsetMs(ms, zone) === wallMs)
  return shown.length > 0 ? Math.min(...shown) : Math.max(...candidates)
}

/** Start of the hour, day, week (Sunday) or month that the instant lies in, by the zone's clocks. */
export function startOf(interval: Interval, ms: number, zone: TimeZone): number {
  const { year, month, day, weekday, minute, second } = localTime(ms, zone)
  switch (interval) {
    case 'hour':
      return ms - (((ms % 1000) + 1000) % 1000) - second * 1000 - minute * 60_000
    case 'day':
      return instantOf(Date.UTC(year, month - 1, day), zone)
    case 'week':
      return instantOf(Date.UTC(year, month - 1, day - weekday), zone)
    case 'month':
      return instantOf(Date.UTC(year, month - 1, 1), zone)
  }
}

/** Moves by whole intervals of the calendar; an hour is 3,600 s, a day may have 23 or 25 of them. */
export function addIntervals(startMs: number, interval: Interval, count: number, zone: TimeZone): number {
  if (interval === 'hour') return startMs + count * HOUR_MS
  const { year, month, day, hour, minute, second } = localTime(startMs, zone)
  const timeOfDayMs = hour * HOUR_MS + minute * 60_000 + second * 1000
  if (interval === 'month') {
    const lastDay = new Date(Date.UTC(year, month + count, 0)).getUTCDate()
    return instantOf(Date.UTC(year, month - 1 + count, Math.min(day, lastDay)) + timeOfDayMs, zone)
  }
  const days = interval === 'week' ? 7 * count : count
  return instantOf(Date.UTC(year, month - 1, day + days) + timeOfDayMs, zone)
}

/** Starts of all intervals that touch `[fromMs, toMs)`, in order; at most `max + 1` of them. */
export function intervalStarts(
  interval: Interval,
  fromMs: number,
  toMs: number,
  zone: TimeZone,
  max: number,
): number[] {
  const starts: number[] = []
  let start = startOf(interval, fromMs, zone)
  while (start < toMs && starts.length <= max) {
    starts.push(start)
    // Noon of the next day at the latest lies in the next interval: a start at a skipped midnight does not drift.
    const next = interval === 'hour' ? start + HOUR_MS : addIntervals(start + 12 * HOUR_MS, interval, 1, zone)
    start = interval === 'hour' ? next : startOf(interval, next, zone)
  }
  return starts
}

/** A stretch of time: `startMs` included, `endMs` not; both the same for a single instant. */
export interface Instant {
  readonly startMs: number
  readonly endMs: number
}

const DATE = /^(\d{4})-(\d{2})-(\d{2})$/
const DATE_TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?$/

/** `2026-01-31` (its whole day) or ISO 8601 time; without an offset in the given zone. Null for anything else. */
export function parseInstant(text: string, zone: TimeZone): Instant | null {
  const date = DATE.exec(text)
  if (date) {
    const [year, month, day] = date.slice(1).map(Number) as [number, number, number]
    const wallMs = Date.UTC(year, month - 1, day)
    if (new Date(wallMs).getUTCDate() !== day || month > 12) return null
    return { startMs: instantOf(wallMs, zone), endMs: instantOf(Date.UTC(year, month - 1, day + 1), zone) }
  }
  const time = DATE_TIME.exec(text)
  if (!time) return null
  const ms = Date.parse(`${text.replace(' ', 'T')}${time[1] === undefined ? 'Z' : ''}`)
  if (Number.isNaN(ms)) return null
  const startMs = time[1] === undefined ? instantOf(ms, zone) : ms
  return { startMs, endMs: startMs }
}
