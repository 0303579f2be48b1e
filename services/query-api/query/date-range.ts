import { invalidInput } from '../http/api-error.ts'
import { addIntervals, type Interval, localTime, parseInstant, startOf, type TimeZone } from './zoned-time.ts'

/** `[fromMs, toMs)`; `fromMs` null for the beginning of the data. */
export interface DateRange {
  readonly fromMs: number | null
  readonly toMs: number
}

const RELATIVE = /^-(\d{1,4})([hdwmqy])(Start|End)?$/
const UNIT_STARTS: Readonly<Record<string, 'day' | 'month' | 'year'>> = {
  dStart: 'day',
  mStart: 'month',
  yStart: 'year',
}

/**
 * Reads `date_from` and `date_to`: a date, an ISO 8601 time, `-7d` and the like (h, d, w, m, q, y), with `Start` or
 * `End` for the bounds of that hour, day, week, month, quarter or year, `dStart`, `mStart`, `yStart`, or `all`.
 *
 * A relative start is the beginning of that day (of that hour for hours); a date as the end includes its whole day.
 *
 * @throws ApiError 400 naming the parameter
 */
export function parseDateRange(
  dateFrom: string | null,
  dateTo: string | null,
  nowMs: number,
  zone: TimeZone,
): DateRange {
  const from = dateFrom ?? '-7d'
  const fromMs = from === 'all' ? null : boundMs('date_from', from, nowMs, zone)
  const toMs = dateTo === null ? nowMs : boundMs('date_to', dateTo, nowMs, zone)
  if (fromMs !== null && fromMs >= toMs)
    throw invalidInput('date_to', 'date_to must be later than date_from.')
  return { fromMs, toMs }
}

function boundMs(attr: 'date_from' | 'date_to', text: string, nowMs: number, zone: TimeZone): number {
  const isEnd = attr === 'date_to'
  const unitStart = UNIT_STARTS[text]
  if (unitStart !== undefined) return startOfUnit(unitStart, nowMs, zone)
  const relative = RELATIVE.exec(text)
  if (relative)
    return relativeMs(Number(relative[1]), relative[2] as Unit, relative[3] ?? '', isEnd, nowMs, zone)
  const instant = parseInstant(text, zone)
  if (instant === null)
    throw invalidInput(
      attr,
      `${attr} must be a date, an ISO 8601 time, or relative like -7d, -24h or mStart.`,
    )
  return isEnd ? instant.endMs : instant.startMs
}

type Unit = 'h' | 'd' | 'w' | 'm' | 'q' | 'y'
const STEPS: Readonly<Record<Unit, readonly [Interval, number]>> = {
  h: ['hour', 1],
  d: ['day', 1],
  w: ['week', 1],
  m: ['month', 1],
  q: ['month', 3],
  y: ['month', 12],
}
const UNIT_NAMES = { h: 'hour', d: 'day', w: 'week', m: 'month', q: 'quarter', y: 'year' } as const

function relativeMs(
  count: number,
  unit: Unit,
  edge: string,
  isEnd: boolean,
  nowMs: number,
  zone: TimeZone,
): number {
  const [interval, multiple] = STEPS[unit]
  const then = addIntervals(nowMs, interval, -count * multiple, zone)
  if (edge === 'Start') return startOfUnit(UNIT_NAMES[unit], then, zone)
  if (edge === 'End') return addIntervals(startOfUnit(UNIT_NAMES[unit], then, zone), interval, multiple, zone)
  if (unit === 'h') return isEnd ? then : startOf('hour', then, zone)
  return isEnd ? addIntervals(startOf('day', then, zone), 'day', 1, zone) : startOf('day', then, zone)
}

function startOfUnit(unit: Interval | 'quarter' | 'year', ms: number, zone: TimeZone): number {
  if (unit !== 'quarter' && unit !== 'year') return startOf(unit, ms, zone)
  let start = startOf('month', ms, zone)
  const months = unit === 'quarter' ? 3 : 12
  while ((localTime(start, zone).month - 1) % months !== 0) start = startOf('month', start - 1, zone)
  return start
}
