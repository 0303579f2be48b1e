import type { Bindings } from './bindings.ts'

/** A time as a DateTime64(3) constant. */
export function timeSql(ms: number, bindings: Bindings): string {
  return `fromUnixTimestamp64Milli(${bindings.bind(ms, 'Int64')}, 'UTC')`
}
