/** Buckets of the calendar, found with nothing but what clocks on the wall show. */

export type Unit = 'hour' | 'day' | 'week' | 'month'

/** What clocks show: `2026-11-22 13:45:00`. */
export function wall(ms: number, zone: string): string {
  return new Intl.DateTimeFormat('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'medium' }).format(
    ms,
  )
}

/**
 * The bucket that an instant lies in, named by the date (for hours the time) at which it begins. Where clocks are set
 * back an hour comes twice, so the name of an hour has also how far clocks are ahead.
 */
export function bucketOf(
  ms: number,
  unit: Unit,
  zone: string,
  weekStart: 'sunday' | 'monday' = 'sunday',
): string {
  const shown = wall(ms, zone)
  if (unit === 'hour') {
    const aheadMs = Date.parse(`${shown.replace(' ', 'T')}Z`) - Math.floor(ms / 1_000) * 1_000
    return `${shown.slice(0, 13)}:00:00 ${aheadMs}`
  }
  if (unit === 'month') return `${shown.slice(0, 7)}-01`
  const date = shown.slice(0, 10)
  if (unit === 'day') return date
  const weekday = new Date(`${date}T00:00:00Z`).getUTCDay()
  return addDays(date, weekStart === 'sunday' ? -weekday : -((weekday + 6) % 7))
}

export function addDays(date: string, days: number): string {
  return new Date(Date.parse(`${date}T00:00:00Z`) + days * 86_400_000).toISOString().slice(0, 10)
}

/** The bucket after that many others. */
export function addBuckets(bucket: string, count: number, unit: Unit): string {
  if (unit === 'day') return addDays(bucket, count)
  if (unit === 'week') return addDays(bucket, 7 * count)
  if (unit === 'month') {
    const [year, month] = bucket.split('-').map(Number) as [number, number]
    return new Date(Date.UTC(year, month - 1 + count, 1)).toISOString().slice(0, 10)
  }
  throw new Error('Hours are counted from their instants.')
}

/** All buckets from the one of the first instant to the one of the last, both included. */
export function bucketsBetween(
  firstMs: number,
  lastMs: number,
  unit: Unit,
  zone: string,
  weekStart: 'sunday' | 'monday' = 'sunday',
): string[] {
  const buckets: string[] = []
  const last = bucketOf(lastMs, unit, zone, weekStart)
  if (unit === 'hour') {
    for (let ms = firstMs; bucketOf(ms, unit, zone) !== last; ms += 3_600_000)
      buckets.push(bucketOf(ms, unit, zone))
    return [...buckets, last]
  }
  for (
    let bucket = bucketOf(firstMs, unit, zone, weekStart);
    bucket <= last;
    bucket = addBuckets(bucket, 1, unit)
  )
    buckets.push(bucket)
  return buckets
}

/** The first instant of a local date: where clocks skip midnight, the moment of the jump. */
export function midnight(date: string, zone: string): number {
  const guess = Date.parse(`${date}T00:00:00Z`)
  for (let ms = guess - 15 * 3_600_000; ; ms += 900_000) if (wall(ms, zone).slice(0, 10) >= date) return ms
}
