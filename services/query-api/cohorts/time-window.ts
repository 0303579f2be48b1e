import { invalidInput } from '../http/api-error.ts'
import { addIntervals, type Interval, type TimeZone } from '../query/zoned-time.ts'

/** The last so many minutes, hours, days … before an instant, by the clocks of a zone. */
export interface TimeWindow {
  readonly value: number
  readonly unit: TimeUnit
}

export const TIME_UNITS = ['minute', 'hour', 'day', 'week', 'month', 'year'] as const
export type TimeUnit = (typeof TIME_UNITS)[number]

const MINUTE_MS = 60_000
const DAY_MS = 86_400_000
/** Months and years as funnels have them, of 30 and 365 days. */
const UNIT_MS: Readonly<Record<TimeUnit, number>> = {
  minute: MINUTE_MS,
  hour: 60 * MINUTE_MS,
  day: DAY_MS,
  week: 7 * DAY_MS,
  month: 30 * DAY_MS,
  year: 365 * DAY_MS,
}
const YEARS_MAX = 20
const WINDOW_MAX_MS = YEARS_MAX * UNIT_MS.year

const STEPS: Readonly<Record<Exclude<TimeUnit, 'minute'>, readonly [Interval, number]>> = {
  hour: ['hour', 1],
  day: ['day', 1],
  week: ['week', 1],
  month: ['month', 1],
  year: ['month', 12],
}

/**
 * @param times windows of that length one before the other
 * @throws ApiError 400 for what is no window, or one of more than 20 years
 */
export function readWindow(value: unknown, unit: unknown, attr: string, times = 1): TimeWindow {
  const count = wholeNumber(value, `${attr}_value`, 1)
  const known = TIME_UNITS.find((one) => one === unit)
  if (known === undefined)
    throw invalidInput(`${attr}_interval`, `${attr}_interval must be one of ${TIME_UNITS.join(', ')}.`)
  const window = { value: count, unit: known }
  if (windowLengthMs(window) * times > WINDOW_MAX_MS)
    throw invalidInput(`${attr}_value`, `No further back than ${YEARS_MAX} years.`)
  return window
}

/** Its length where it does not end at any instant. */
export function windowLengthMs({ value, unit }: TimeWindow): number {
  return value * UNIT_MS[unit]
}

/** Start of the window that ends there, or of the one so many before it. */
export function windowStart({ value, unit }: TimeWindow, endMs: number, zone: TimeZone, times = 1): number {
  if (unit === 'minute') return endMs - value * times * MINUTE_MS
  const [interval, multiple] = STEPS[unit]
  return addIntervals(endMs, interval, -value * times * multiple, zone)
}

/** A whole number, also as text, as clients send it. @throws ApiError 400 */
export function wholeNumber(value: unknown, attr: string, min: number, max = 1_000_000): number {
  const number = typeof value === 'string' && /^\d{1,7}$/.test(value) ? Number(value) : value
  if (typeof number === 'number' && Number.isInteger(number) && number >= min && number <= max) return number
  throw invalidInput(attr, `This must be a whole number from ${min} to ${max}.`)
}
