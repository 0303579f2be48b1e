import type { Receipt } from '../../../schemas/receipt/v1.ts'
import type { Log, RecordBatch } from '../../core/kafka/log.ts'
import { partitionOf, recordKey } from '../../core/kafka/partition.ts'
import { HEADERS, type KafkaNames } from '../../core/kafka/topics.ts'
import type { Clock } from '../../core/runtime/clock.ts'

/** A record of the event that lies in a topic. */
export interface LogHit {
  readonly topic: string
  readonly partition: number
  readonly offset: number
  /** Position of the raw record that it comes from; a raw record's own. */
  readonly src: { readonly partition: number; readonly offset: number }
}

export interface LogSearchResult {
  readonly hits: readonly LogHit[]
  /** Per raw partition the next offset that the enricher has not decided about, as far as its receipts were read. */
  readonly decidedTo: ReadonlyMap<number, number>
  /** False when older records were left out or time ran out: what was not found may be there. */
  readonly complete: boolean
}

export interface LogSearch {
  readonly dataset: string
  readonly eventId: string
  /** Who did it, where that is known: then one partition is enough. */
  readonly distinctId: string | null
  /** Topics besides the pipeline's own. */
  readonly topics: readonly string[]
  readonly signal: AbortSignal
}

export type FindInLog = (search: LogSearch) => Promise<LogSearchResult>

/** A trace is a question of a person who waits. */
const SEARCH_MS_MAX = 8_000
const READ_WAIT_MS = 500

/**
 * Looks through the latest records of the topics by their headers; no value is parsed but the receipts'.
 *
 * @param recordsMax per topic and partition
 */
export function createFindInLog(log: Log, names: KafkaNames, clock: Clock, recordsMax: number): FindInLog {
  return async (search) => {
    const deadlineMs = clock.monotonic() + SEARCH_MS_MAX
    const own = [names.raw, names.enriched, names.rejected]
    const raw = await log.admin.describeTopic(names.raw)
    if (raw === null || recordsMax === 0) return { hits: [], decidedTo: new Map(), complete: false }
    const onlyPartition =
      search.distinctId === null
        ? null
        : partitionOf(recordKey(search.dataset, search.distinctId, search.eventId), raw.partitions)
    const positions: { topic: string; partition: number; offset: number }[] = []
    const ends = new Map<string, { topic: string; partition: number; end: number }>()
    let complete = true
    for (const topic of [...own, names.receipts, ...search.topics]) {
      if (topic !== names.raw && (await log.admin.describeTopic(topic)) === null) continue
      for (const { partition, start, end } of await log.admin.offsetRanges(topic, 'read_committed')) {
        const isOurs = topic === names.receipts || own.includes(topic)
        if (isOurs && onlyPartition !== null && partition !== onlyPartition) continue
        const offset = Math.max(start, end - recordsMax)
        if (offset > start && topic !== names.receipts) complete = false
        if (offset >= end) continue
        positions.push({ topic, partition, offset })
        ends.set(`${topic} ${partition}`, { topic, partition, end })
      }
    }
    const hits: LogHit[] = []
    const decidedTo = new Map<number, number>()
    if (positions.length === 0) return { hits, decidedTo, complete }
    const reader = await log.openReader(positions)
    try {
      while (ends.size > 0 && clock.monotonic() < deadlineMs && !search.signal.aborted) {
        for (const batch of await reader.read(READ_WAIT_MS)) {
          if (batch.topic === names.receipts) noteReceipts(batch, decidedTo)
          else hits.push(...hitsIn(batch, search, batch.topic === names.raw))
        }
        for (const [key, { topic, partition, end }] of ends)
          if (reader.position({ topic, partition }) >= end) ends.delete(key)
      }
    } finally {
      await reader.close()
    }
    return { hits, decidedTo, complete: complete && ends.size === 0 }
  }
}

function hitsIn(batch: RecordBatch, search: LogSearch, isRaw: boolean): LogHit[] {
  const { topic, partition } = batch
  const hits: LogHit[] = []
  for (let i = 0; i < batch.length; i++) {
    if (batch.header(i, HEADERS.eventId) !== search.eventId) continue
    if (batch.header(i, HEADERS.datasetId) !== search.dataset) continue
    const offset = batch.offset(i)
    const source = isRaw ? { partition, offset } : parseSource(batch.header(i, HEADERS.source))
    if (source !== null) hits.push({ topic, partition, offset, src: source })
  }
  return hits
}

function parseSource(header: string | null): LogHit['src'] | null {
  const parts = /^(\d{1,10}):(\d{1,16})$/.exec(header ?? '')
  return parts ? { partition: Number(parts[1]), offset: Number(parts[2]) } : null
}

function noteReceipts(batch: RecordBatch, decidedTo: Map<number, number>): void {
  for (let i = 0; i < batch.length; i++) {
    const value = batch.value(i)
    if (value === null || batch.header(i, HEADERS.tick) !== null) continue
    const { partition, to } = JSON.parse(value.toString('utf8')) as Receipt
    decidedTo.set(partition, Math.max(decidedTo.get(partition) ?? 0, to + 1))
  }
}
