import { setTimeout as pause } from 'node:timers/promises'
import type { NativeProducer } from './librdkafka-client.ts'
import { ERRORS, type NativeError } from './librdkafka-errors.ts'
import type { ProduceRecord } from './log.ts'

/** How often a full send buffer is looked at again, ms: a request's round trip. */
const FULL_RETRY_MS = 2

/**
 * Hands records to the client's send buffer, in the order of the calls, waiting while it is full. `opaque` comes
 * back with each record's delivery report.
 *
 * @returns resolves to the number of records that entered the buffer; fewer than all of them when `onRefused` was
 *   told why the next one could not. Returned without a promise when there was room at once.
 */
export type Enqueue = (
  records: readonly ProduceRecord[],
  opaque: unknown,
  onRefused: (error: NativeError) => void,
) => number | Promise<number>

export function createEnqueue(producer: NativeProducer): Enqueue {
  /** Set while a call waits for room: later calls line up behind it. */
  let waiting: Promise<unknown> | null = null

  /** @returns the first record that found no room; the end when none is left; -1 - index for a refusal */
  function push(records: readonly ProduceRecord[], from: number, opaque: unknown): number | NativeError {
    for (let index = from; index < records.length; index++) {
      const { topic, partition, value, key, headers } = records[index] as ProduceRecord
      try {
        producer.produce(
          topic,
          partition,
          value && asBuffer(value),
          typeof key === 'string' ? key : key && asBuffer(key),
          0,
          opaque,
          headerList(headers),
        )
      } catch (error) {
        if ((error as NativeError).code === ERRORS.ERR__QUEUE_FULL) return index
        refusedAt = index
        return error as NativeError
      }
    }
    return records.length
  }
  let refusedAt = 0

  async function pushPatiently(
    records: readonly ProduceRecord[],
    from: number,
    opaque: unknown,
    onRefused: (error: NativeError) => void,
  ): Promise<number> {
    for (let next = from; ; ) {
      const pushed = push(records, next, opaque)
      if (typeof pushed !== 'number') {
        onRefused(pushed)
        return refusedAt
      }
      if (pushed === records.length) return pushed
      next = pushed
      await pause(FULL_RETRY_MS)
    }
  }

  return (records, opaque, onRefused) => {
    let from = 0
    if (waiting === null) {
      const pushed = push(records, 0, opaque)
      if (typeof pushed !== 'number') {
        onRefused(pushed)
        return refusedAt
      }
      if (pushed === records.length) return pushed
      from = pushed
    }
    const turn = (waiting ?? Promise.resolve()).then(() => pushPatiently(records, from, opaque, onRefused))
    waiting = turn
    void turn.finally(() => {
      if (waiting === turn) waiting = null
    })
    return turn
  }
}

/** The binding takes Buffers only, not any byte array; a view costs no copy. */
function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

function headerList(
  headers: Readonly<Record<string, string>> | undefined,
): Record<string, string>[] | undefined {
  if (headers === undefined) return undefined
  return Object.entries(headers).map(([name, value]) => ({ [name]: value }))
}
