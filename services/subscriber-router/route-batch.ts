import { type FilterRecord, valueAt } from '../core/event/filter-evaluator.ts'
import type { ProduceRecord, RecordBatch } from '../core/kafka/log.ts'
import { partitionOf } from '../core/kafka/partition.ts'
import { HEADERS } from '../core/kafka/topics.ts'
import { maskJson } from './mask-json.ts'
import type { Route, RoutingTable } from './routing-table.ts'

/** Where a route's events go. */
export interface Destination {
  readonly topic: string
  readonly partitions: number
}

export interface RoutedBatch {
  /** Per subscription, in the order of the input. Subscriptions without any are not there. */
  readonly records: ReadonlyMap<string, readonly ProduceRecord[]>
  /** Highest raw offset seen so far; null while none was. */
  readonly highWater: number | null
  /** Records whose raw offset was covered before: they are not delivered again. */
  readonly duplicates: number
  /** Records whose value had to be read and is no JSON object: matched by no condition, delivered to no mask. */
  readonly unreadable: number
}

export interface RouteRequest {
  readonly table: Pick<RoutingTable, 'matching'>
  /** Null for subscriptions that are not to be served here. */
  readonly destination: (route: Route) => Destination | null
  /** Partition count of the input. */
  readonly partitions: number
  readonly highWater: number | null
  /** Only offsets from `from` on, and before `before`. */
  readonly from?: number
  readonly before?: number
}

const FORWARDED = [
  HEADERS.eventId,
  HEADERS.datasetId,
  HEADERS.event,
  HEADERS.schema,
  HEADERS.source,
  HEADERS.recipe,
  HEADERS.traceparent,
] as const

/**
 * Which records go where. A subscription by dataset and event name alone gets the value's bytes as they are; a value
 * is parsed at most once for all conditions and keys, and cut once per distinct mask.
 */
export function routeBatch(batch: RecordBatch, request: RouteRequest): RoutedBatch {
  const records = new Map<string, ProduceRecord[]>()
  let { highWater } = request
  let [duplicates, unreadable] = [0, 0]
  const { from = 0, before = Number.POSITIVE_INFINITY } = request
  for (let i = 0; i < batch.length; i++) {
    if (batch.offset(i) < from) continue
    if (batch.offset(i) >= before) break
    const value = batch.value(i)
    if (value === null || batch.header(i, HEADERS.tick) !== null) continue
    const source = sourceOffset(batch.header(i, HEADERS.source))
    if (source !== null) {
      if (highWater !== null && source <= highWater) {
        duplicates++
        continue
      }
      highWater = source
    }
    const routes = request.table.matching(batch.header(i, HEADERS.datasetId), batch.header(i, HEADERS.event))
    if (routes.length === 0) continue
    const record = createReading(value)
    let headers: Readonly<Record<string, string>> | null = null
    for (const route of routes) {
      const destination = request.destination(route)
      if (destination === null || !selects(route, record)) continue
      const masked = route.mask === null ? value : record.masked(route.mask)
      if (masked === null) continue
      headers ??= forwardedHeaders(batch, i)
      const out = {
        ...placed(route, destination, batch, i, request.partitions, record),
        value: masked,
        headers,
      }
      const list = records.get(route.id)
      if (list === undefined) records.set(route.id, [out])
      else list.push(out)
    }
    if (record.unreadable) unreadable++
  }
  return { records, highWater, duplicates, unreadable }
}

/** A value that is parsed and cut when somebody asks, and only once. */
interface Reading {
  /** Null when it is no JSON object. */
  readonly parsed: FilterRecord | null
  masked(mask: NonNullable<Route['mask']>): Buffer | null
  /** Somebody asked for what could not be read. */
  readonly unreadable: boolean
}

function createReading(value: Buffer): Reading {
  let parsed: FilterRecord | null | undefined
  let cuts: Map<string, Buffer | null> | null = null
  let unreadable = false
  return {
    get parsed() {
      if (parsed === undefined) {
        parsed = parseObject(value)
        if (parsed === null) unreadable = true
      }
      return parsed
    },
    masked(mask) {
      cuts ??= new Map()
      const known = cuts.get(mask.text)
      if (known !== undefined) return known
      const cut = maskJson(value, mask)
      if (cut === null) unreadable = true
      cuts.set(mask.text, cut)
      return cut
    },
    get unreadable() {
      return unreadable
    },
  }
}

function selects({ selection }: Route, record: Reading): boolean {
  if (!selection.needsBody) return true
  return record.parsed !== null && selection.matches(record.parsed)
}

/**
 * The input's key and partition, so that everybody's order stays as it is. A chosen key, or another partition count,
 * puts records where Kafka's own rule puts that key. A chosen key that an event does not have falls back to the
 * input's.
 */
function placed(
  { keyPath }: Route,
  { topic, partitions }: Destination,
  batch: RecordBatch,
  index: number,
  inputPartitions: number,
  record: Reading,
): { topic: string; partition: number; key: Buffer | null } {
  const chosen = keyPath === null ? null : scalarText(record.parsed && valueAt(record.parsed, keyPath))
  if (chosen !== null) {
    const key = Buffer.from(chosen)
    return { topic, partition: partitionOf(key, partitions), key }
  }
  const key = batch.key(index)
  if (keyPath === null && partitions === inputPartitions) return { topic, partition: batch.partition, key }
  return { topic, partition: key === null ? 0 : partitionOf(key, partitions), key }
}

function scalarText(value: unknown): string | null {
  if (typeof value === 'string') return value === '' ? null : value
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : null
}

function forwardedHeaders(batch: RecordBatch, index: number): Readonly<Record<string, string>> {
  const headers: Record<string, string> = {}
  for (const name of FORWARDED) {
    const text = batch.header(index, name)
    if (text !== null) headers[name] = text
  }
  return headers
}

/** The raw offset of `<partition>:<offset>`; null when there is none. */
function sourceOffset(header: string | null): number | null {
  if (header === null) return null
  const offset = Number(header.slice(header.indexOf(':') + 1))
  return Number.isSafeInteger(offset) && offset >= 0 ? offset : null
}

function parseObject(value: Buffer): FilterRecord | null {
  try {
    const parsed: unknown = JSON.parse(value.toString())
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)
      ? (parsed as FilterRecord)
      : null
  } catch {
    return null
  }
}
