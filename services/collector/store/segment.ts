/** A file of the store: numbers go up, and none is used twice. */
export interface Segment {
  readonly number: number
  /** Epoch milliseconds; no record of it is older. */
  readonly createdMs: number
  readonly marker: Buffer
  /** Where its records begin. */
  readonly start: number
  /** Where they end: what was synced. Grows while it is written. */
  end: number
}

/** Next byte to be sent to Kafka. */
export interface StorePosition {
  readonly segment: number
  readonly offset: number
}

const NAME = /^(\d{12})\.segment$/

export function segmentName(number: number): string {
  return `${String(number).padStart(12, '0')}.segment`
}

/** Null for the name of another file. */
export function segmentNumber(name: string): number | null {
  const match = NAME.exec(name)
  return match ? Number(match[1]) : null
}
