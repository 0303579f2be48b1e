import { manifestKey } from '../../../schemas/manifest/v1.ts'
import type { Receipt } from '../../../schemas/receipt/v1.ts'
import type { Log, Position, RecordBatch } from '../../core/kafka/log.ts'
import { HEADERS, type KafkaNames } from '../../core/kafka/topics.ts'
import { sourceOffset } from '../../core/stream/planned-digest.ts'
import type { SeenManifest } from './check-closed-hours.ts'
import type { Fault } from './verify-delivery.ts'

/** What became of the raw offsets of one partition, as receipts, topic and manifests agree. */
export interface LogPartitionReport {
  readonly partition: number
  /** Raw offsets that receipts account for, both included; null when there is no receipt. */
  readonly from: number | null
  readonly to: number | null
  readonly enriched: number
  readonly rejected: number
  readonly duplicate: number
  readonly control: number
  /** Records of the topic that were counted against manifests and receipts. */
  readonly counted: number
}

export interface LogReport {
  readonly partitions: readonly LogPartitionReport[]
  readonly faults: readonly Fault[]
  readonly notes: readonly string[]
}

/** Longest wait for records that must be there, ms. */
const READ_WAIT_MS = 10_000

/**
 * Follows a delivery back to every raw offset, as far as Kafka still holds the records:
 *
 * - the receipts of a raw partition follow one another without a gap, and each adds up to its range;
 * - the records in the range of each manifest are as many as it says were read;
 * - no raw offset appears twice, and between the raw offsets of each receipt there are as many records of the topic as
 *   it says were written.
 *
 * @param manifests those of one delivery, in the order of their keys
 * @throws DependencyError as the log has them
 */
export async function verifyWithLog(
  log: Pick<Log, 'openReader' | 'admin'>,
  names: KafkaNames,
  delivery: string,
  manifests: readonly SeenManifest[],
  onProgress: (records: number) => void = () => {},
): Promise<LogReport> {
  const faults: Fault[] = []
  const notes: string[] = []
  const partitions: LogPartitionReport[] = []
  let records = 0
  const chains = new Map<string, SeenManifest[]>()
  for (const manifest of manifests) {
    const name = `${manifest.topic}/${manifest.partition}`
    const chain = chains.get(name)
    if (chain) chain.push(manifest)
    else chains.set(name, [manifest])
  }
  for (const chain of chains.values()) {
    const { topic, partition } = chain[0] as SeenManifest
    const outcome = outcomeOf(topic, names)
    if (outcome === null) {
      notes.push(`${topic} is not a topic of this installation, so its records are not counted.`)
      continue
    }
    const receipts = await readReceipts(log, names.receipts, partition)
    faults.push(...receiptFaults(names.receipts, partition, receipts))
    const counting = createCounting(delivery, chain, receipts, outcome)
    const range = (await log.admin.offsetRanges(topic, 'read_committed'))[partition]
    const last = chain.at(-1) as SeenManifest
    const start = Math.max(chain[0]!.start, range?.start ?? 0)
    if (start > chain[0]!.start)
      notes.push(
        `${topic}-${partition} holds nothing before offset ${start} any more; what lies before is not counted.`,
      )
    await readAll(
      log,
      { topic, partition, offset: start },
      Math.min(last.end + 1, range?.end ?? 0),
      (batch) => {
        records += batch.length
        onProgress(records)
        for (let index = 0; index < batch.length; index++) counting.add(batch, index)
      },
    )
    for (const { key, message } of counting.finish(start))
      faults.push({ key: key ?? `${topic}-${partition}`, message })
    const sum = (count: 'enriched' | 'rejected' | 'duplicate' | 'control') =>
      receipts.reduce((total, receipt) => total + receipt[count], 0)
    partitions.push({
      partition,
      from: receipts[0]?.from ?? null,
      to: receipts.at(-1)?.to ?? null,
      enriched: sum('enriched'),
      rejected: sum('rejected'),
      duplicate: sum('duplicate'),
      control: sum('control'),
      counted: counting.counted,
    })
  }
  return { partitions, faults, notes }
}

/**
 * Counts the records of one partition against its manifests and receipts.
 *
 * @param chain    its manifests, in order
 * @param receipts those of the raw partition of the same number, in order
 * @param outcome  which of a receipt's counts the topic has the records of
 * @returns `add` takes records by their offsets; `finish` gives what is wrong, under the manifest's key where it is
 *   of one
 */
function createCounting(
  delivery: string,
  chain: readonly SeenManifest[],
  receipts: readonly Receipt[],
  outcome: 'enriched' | 'rejected',
) {
  const found: { key: string | null; message: string }[] = []
  const perManifest = new Map<SeenManifest, number>(chain.map((manifest) => [manifest, 0]))
  const perReceipt = new Map<Receipt, number>(receipts.map((receipt) => [receipt, 0]))
  let [manifestAt, receiptAt, srcBefore, firstSrc, counted] = [0, 0, -1, -1, 0]
  return {
    get counted() {
      return counted
    },
    add(batch: RecordBatch, index: number) {
      const offset = batch.offset(index)
      while (manifestAt < chain.length && chain[manifestAt]!.end < offset) manifestAt++
      const manifest = chain[manifestAt]
      if (!manifest || offset < manifest.start) return // A hole in the chain is the chain's fault.
      counted++
      perManifest.set(manifest, perManifest.get(manifest)! + 1)
      if (batch.value(index) === null || batch.header(index, HEADERS.tick) !== null) return
      const src = sourceOffset(batch.header(index, HEADERS.source))
      if (src <= srcBefore) {
        found.push({
          key: null,
          message: `Offset ${offset} is of raw offset ${src}, which came at or before ${srcBefore}.`,
        })
        return
      }
      srcBefore = src
      if (firstSrc < 0) firstSrc = src
      while (receiptAt < receipts.length && receipts[receiptAt]!.to < src) receiptAt++
      const receipt = receipts[receiptAt]
      if (receipt && src >= receipt.from) perReceipt.set(receipt, perReceipt.get(receipt)! + 1)
      else if (receipts.length > 0 && src > receipts[0]!.from)
        found.push({ key: null, message: `Raw offset ${src} is in no receipt.` })
    },
    finish(start: number) {
      for (const [manifest, count] of perManifest)
        if (manifest.start >= start && count !== manifest.read)
          found.push({
            key: manifestKey(delivery, manifest.topic, manifest.partition, manifest.start),
            message: `It says that ${manifest.read} records were read, its range holds ${count}.`,
          })
      // Receipts that were seen only in part: before the first record there, and past the last manifest.
      for (const [receipt, count] of perReceipt)
        if (receipt.from > firstSrc && receipt.to <= srcBefore && count !== receipt[outcome])
          found.push({
            key: null,
            message: `The receipt of raw offsets ${receipt.from}–${receipt.to} says ${receipt[outcome]} ${outcome}, ${count} are there.`,
          })
      return found
    },
  }
}

function outcomeOf(topic: string, names: KafkaNames): 'enriched' | 'rejected' | null {
  if (topic === names.enriched) return 'enriched'
  return topic === names.rejected ? 'rejected' : null
}

async function readReceipts(
  log: Pick<Log, 'openReader' | 'admin'>,
  topic: string,
  partition: number,
): Promise<Receipt[]> {
  const range = (await log.admin.offsetRanges(topic, 'read_committed'))[partition]
  if (!range) return []
  const receipts: Receipt[] = []
  await readAll(log, { topic, partition, offset: range.start }, range.end, (batch) => {
    for (let index = 0; index < batch.length; index++) {
      const value = batch.value(index)
      if (value !== null) receipts.push(JSON.parse(value.toString()) as Receipt)
    }
  })
  return receipts
}

function* receiptFaults(topic: string, partition: number, receipts: readonly Receipt[]): Generator<Fault> {
  let next: number | null = null
  for (const { from, to, enriched, rejected, duplicate, control } of receipts) {
    const fault = (message: string) => ({ key: `${topic}-${partition}`, message })
    if (next !== null && from !== next)
      yield fault(
        `Raw offsets ${Math.min(next, from)}–${Math.max(next, from) - 1} are in ${from > next ? 'no receipt' : 'two'}.`,
      )
    if (to - from + 1 !== enriched + rejected + duplicate + control)
      yield fault(
        `The receipt of raw offsets ${from}–${to} does not add up: ${enriched} + ${rejected} + ${duplicate} + ${control}.`,
      )
    next = to + 1
  }
}

/** Hands on every committed record from a position to `end`. */
async function readAll(
  log: Pick<Log, 'openReader'>,
  from: Position,
  end: number,
  onBatch: (batch: RecordBatch) => void,
): Promise<void> {
  if (from.offset >= end) return
  const reader = await log.openReader([from])
  try {
    while (reader.position(from) < end) {
      const before = reader.position(from)
      for (const batch of await reader.read(READ_WAIT_MS)) onBatch(batch)
      if (reader.position(from) === before)
        throw new Error(
          `Nothing came of ${from.topic}-${from.partition} past offset ${before}, though it ends at ${end}.`,
        )
    }
  } finally {
    await reader.close()
  }
}
