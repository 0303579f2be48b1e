import type { Bindings } from '../query/bindings.ts'

/** Bits of an offset in a key, and of a partition above it: more than Kafka has of either. */
const OFFSET_BITS = 48
const PARTITION_BITS = 16

/** How events of one actor are put in order: each is one number, which costs a fraction of sorting tuples. */
export interface EventOrder {
  /** Column of an event: its key. */
  readonly key: string
  /** From an array of keys, in the order of the events. */
  readonly times: (keys: string) => string
  /** Zeros where there is no note. */
  readonly notes: (keys: string) => string
}

/**
 * Numbers that order events by time, and within a millisecond as they were received, with a note of each in the lowest
 * bits: which of a funnel's steps it is, say. They are made of the columns `time_ms`, `src_partition` and `src_offset`.
 *
 * @param range whose events they are: `[fromMs, toMs)`, epoch ms
 * @param note SQL of a whole number below 2 ** `noteBits`; what it says must not differ between events of one position
 */
export function eventOrder(
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
  note: { readonly sql: string; readonly bits: number } | null,
  bindings: Bindings,
): EventOrder {
  const from = bindings.bind(fromMs, 'Int64')
  const noteBits = note?.bits ?? 0
  const timeAt = noteBits + OFFSET_BITS + PARTITION_BITS
  const isNarrow = timeAt + Math.ceil(Math.log2(toMs - fromMs + 1)) <= 128
  const wide = isNarrow ? 'toUInt128' : 'toUInt256'
  const position = `bitShiftLeft(toUInt64(src_partition), ${OFFSET_BITS}) + toUInt64(src_offset)`
  const key = [
    `bitShiftLeft(${wide}(time_ms - ${from}), ${timeAt})`,
    ...(note === null
      ? [`${wide}(${position})`]
      : [`bitShiftLeft(${wide}(${position}), ${noteBits})`, note.sql]),
  ].join(' + ')
  return {
    key,
    times: (keys) => `arrayMap(key -> toInt64(bitShiftRight(key, ${timeAt})) + ${from}, ${keys})`,
    notes: (keys) => `arrayMap(key -> toUInt64(bitAnd(key, ${2 ** noteBits - 1})), ${keys})`,
  }
}
