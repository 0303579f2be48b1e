import { type Interval, localTime, type TimeZone } from '../query/zoned-time.ts'

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec']
const two = (n: number) => String(n).padStart(2, '0')

/** `22-Nov-2026`, for hours `22-Nov-2026 13:00`, by the clocks of the zone. */
export function intervalLabel(ms: number, interval: Interval, zone: TimeZone): string {
  const { year, month, day, hour, minute } = localTime(ms, zone)
  const date = `${day}-${MONTHS[month - 1]}-${year}`
  return interval === 'hour' ? `${date} ${two(hour)}:${two(minute)}` : date
}

/** `2026-11-22`, for hours `2026-11-22 13:00:00`, by the clocks of the zone. */
export function intervalDay(ms: number, interval: Interval, zone: TimeZone): string {
  const { year, month, day, hour, minute } = localTime(ms, zone)
  const date = `${year}-${two(month)}-${two(day)}`
  return interval === 'hour' ? `${date} ${two(hour)}:${two(minute)}:00` : date
}
