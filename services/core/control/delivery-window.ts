import type { DeliveryWindow } from '../../../schemas/control/v1.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
/** The first of 1970 was a Thursday. */
const FIRST_DAY = 4
const LENGTHS = { '5m': 5 * MINUTE_MS, '15m': 15 * MINUTE_MS, '1h': HOUR_MS } as const

/** Epoch ms, `[startMs, endMs)`. */
export interface WindowBounds {
  readonly startMs: number
  readonly endMs: number
}

/**
 * The window that an instant lies in. Windows follow one another without a gap; days have 23 or 25 hours where clocks
 * change, and weeks seven days.
 *
 * @throws RangeError for a time zone that nobody knows; they are checked before they are published
 */
export function windowAt(
  { length, timezone, day_begins: hour = 0, week_begins: weekday = 1 }: DeliveryWindow,
  ms: number,
): WindowBounds {
  if (length !== '1d' && length !== '1w') {
    const size = LENGTHS[length]
    const startMs = Math.floor(ms / size) * size
    return { startMs, endMs: startMs + size }
  }
  const zone = timezone ?? 'UTC'
  /** When a day begins, counted from the first of 1970. An hour that clocks leave out begins when they go on. */
  const begin = (day: number): number => {
    const wall = day * DAY_MS + hour * HOUR_MS
    return wall - offsetOf(wall - offsetOf(wall, zone), zone)
  }
  let day = Math.floor((ms + offsetOf(ms, zone) - hour * HOUR_MS) / DAY_MS)
  while (begin(day) > ms) day--
  while (begin(day + 1) <= ms) day++
  if (length === '1d') return { startMs: begin(day), endMs: begin(day + 1) }
  // Days since the week began; a remainder has the sign of what is divided.
  const since = (((day + FIRST_DAY - weekday) % 7) + 7) % 7
  return { startMs: begin(day - since), endMs: begin(day - since + 7) }
}

const formats = new Map<string, Intl.DateTimeFormat>()

/** What clocks of the zone show, minus UTC, ms. */
function offsetOf(ms: number, zone: string): number {
  let format = formats.get(zone)
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', { timeZone: zone, timeZoneName: 'longOffset' })
    formats.set(zone, format)
  }
  const name = format.formatToParts(ms).find(({ type }) => type === 'timeZoneName')?.value ?? ''
  const [, sign, hours, minutes = '0', seconds = '0'] = /^GMT([+-])(\d\d):?(\d\d)?:?(\d\d)?$/.exec(name) ?? []
  if (sign === undefined) return 0
  const size = (Number(hours) * 60 + Number(minutes)) * MINUTE_MS + Number(seconds) * 1_000
  return sign === '-' ? -size : size
}
