import type { DemoConnections } from '../../services/cli/demo/demo-connections.ts'
import { type ChaosEvent, isStatement } from './chaos-events.ts'
import { comparePlace, type Expected, type PlaceVerdict } from './compare-place.ts'
import { compareRecordings, RECORDINGS_PLACE } from './compare-recordings.ts'
import { type ChaosLedger, FATE } from './ledger.ts'
import { personFaults } from './person-faults.ts'
import {
  eachLine,
  readWholeTopic,
  tallyEnriched,
  tallyFiles,
  tallyHistory,
  tallyRejected,
  tallyRows,
  tallyStatements,
} from './read-places.ts'
import { readRecordings } from './read-recordings.ts'
import { type RawReceipt, receiptFaults } from './receipt-faults.ts'
import { Tally } from './tally.ts'
import type { Verdict } from './verdict.ts'

/** What the clients know, by number, of events and of chunks of recordings. */
export interface Books {
  readonly events: ChaosLedger
  readonly chunks: ChaosLedger
}

const TELL_MS = 500
/** Ends in `events.enriched`. */
const isGood = ({ kind }: ChaosEvent) => kind === 'plain' || kind === 'foreign'

/**
 * Reads every place and compares it with what the clients were told. Everything has drained before.
 *
 * @param sent numbers below this were given out
 */
export async function judge(
  connections: DemoConnections,
  { events: ledger, chunks }: Books,
  seed: number,
  sent: number,
  onProgress: (what: string) => void,
): Promise<Verdict> {
  const { names, bucket } = connections
  const tallies: Tally[] = []
  const rejectedCodes = new Map<string, number>()
  const read = async (place: string, reading: (tally: Tally) => Promise<unknown>): Promise<Tally> => {
    const tally = new Tally(place, seed)
    tallies.push(tally)
    await reading(tally)
    tallies.splice(tallies.indexOf(tally), 1)
    return tally
  }
  const telling = setInterval(
    () => onProgress(`reading ${tallies.map(({ place, total }) => `${place} ${total}`).join(', ')}`),
    TELL_MS,
  )
  // All at once: their readers are programs of their own, which wait for each other's disk and processor.
  const reading = Promise.all([
    read('events.enriched', (t) => tallyEnriched(connections, names.enriched, t)),
    read('events.rejected', (t) => tallyRejected(connections, names.rejected, t, rejectedCodes)),
    read('sub.everything', (t) => tallyEnriched(connections, names.subscriber('everything'), t)),
    read('sub.shop-purchases', (t) => tallyEnriched(connections, names.subscriber('shop-purchases'), t)),
    read('files warehouse', (t) => tallyFiles(bucket, 'warehouse', t)),
    read('files purchases', (t) => tallyFiles(bucket, 'purchases', t)),
    read('files rejected', (t) => tallyFiles(bucket, 'rejected', t)),
    read('ClickHouse events', (t) => tallyRows(connections, 'events', t)),
    read('ClickHouse rejected_events', (t) => tallyRows(connections, 'rejected_events', t)),
    read('events.identity', (t) => tallyStatements(connections, names.identity, t)),
    read('ClickHouse person_changes', (t) => tallyHistory(connections, seed, t)),
  ]).finally(() => clearInterval(telling))
  const [
    enriched,
    rejected,
    everything,
    shopPurchases,
    warehouse,
    purchases,
    rejectedFiles,
    rows,
    rejectedRows,
    statements,
    history,
  ] = await reading

  const faults: string[] = []
  const places: PlaceVerdict[] = []
  const compare = (tally: Tally, expected: (event: ChaosEvent) => Expected): void => {
    const compared = comparePlace(tally, seed, sent, expected)
    faults.push(...compared.faults)
    places.push(compared.verdict)
  }
  const fateOf = (event: ChaosEvent): Expected => {
    const fate = ledger.fate(event.seq)
    return fate === FATE.acked ? 1 : fate === FATE.unknown ? 'unknown' : 0
  }
  onProgress('comparing places')
  compare(enriched, (event) => (isGood(event) ? fateOf(event) : 0))
  compare(rejected, (event) => (isGood(event) ? 0 : fateOf(event)))

  // Everything further down has exactly what these two hold.
  const as = (tally: Tally, entitled: (event: ChaosEvent) => boolean) => (event: ChaosEvent) =>
    tally.count(event.seq) > 0 && entitled(event) ? 1 : 0
  const all = () => true
  const isPurchase = ({ dataset, event }: ChaosEvent) => dataset === 'shop' && event === 'purchase'
  compare(everything, as(enriched, all))
  compare(
    shopPurchases,
    as(enriched, (event) => isPurchase(event) && event.amount >= 50),
  )
  compare(warehouse, as(enriched, all))
  compare(purchases, as(enriched, isPurchase))
  compare(rejectedFiles, as(rejected, all))
  compare(rows, as(enriched, all))
  compare(rejectedRows, as(rejected, all))
  compare(statements, as(enriched, isStatement))
  compare(history, as(enriched, isStatement))

  const recorded = compareRecordings(
    await readRecordings(connections, (rows) => onProgress(`reading ${RECORDINGS_PLACE} ${rows}`)),
    await connections.log.admin.offsetRanges(names.recordings, 'read_committed'),
    chunks,
    seed,
  )
  faults.push(...recorded.faults)
  places.push(recorded.verdict)

  onProgress('comparing persons, projections and receipts')
  faults.push(...(await personFaults(connections)))
  faults.push(...(await projectionFaults(connections)))
  const receipts = receiptFaults(
    await connections.log.admin.offsetRanges(names.raw, 'read_committed'),
    await readReceipts(connections),
  )
  faults.push(...receipts.faults)
  const sum = (of: (place: PlaceVerdict) => number) => places.reduce((total, place) => total + of(place), 0)
  return {
    acknowledged: ledger.count(FATE.acked),
    lost: sum(({ lost }) => lost),
    duplicated: sum(({ doubled }) => doubled),
    places,
    faults,
    duplicatesRemoved: receipts.duplicates,
    rejectedByCode: Object.fromEntries(rejectedCodes),
  }
}

/** Every pre-aggregate says what its rows say. */
async function projectionFaults(connections: DemoConnections): Promise<string[]> {
  const questions = [
    'SELECT dataset_id, event, toStartOfHour(event_time) AS hour, count() AS n FROM events GROUP BY dataset_id, event, hour ORDER BY ALL',
    'SELECT dataset_id, code, toStartOfHour(collector_time) AS hour, count() AS n FROM rejected_events GROUP BY dataset_id, code, hour ORDER BY ALL',
    'SELECT src_partition, src_offset, count() AS n FROM events GROUP BY src_partition, src_offset HAVING n > 1 ORDER BY ALL',
  ]
  const faults: string[] = []
  for (const question of questions) {
    const answers: string[] = []
    for (const used of [0, 1]) {
      const lines: string[] = []
      await eachLine(
        connections,
        `${question} SETTINGS optimize_use_projections = ${used}, optimize_use_implicit_projections = 0 FORMAT TSV`,
        (line) => void lines.push(line),
      )
      answers.push(lines.join('\n'))
    }
    if (answers[0] !== answers[1]) faults.push(`ClickHouse: a projection differs from its rows: ${question}`)
  }
  return faults
}

async function readReceipts(connections: DemoConnections): Promise<RawReceipt[]> {
  const receipts: RawReceipt[] = []
  await readWholeTopic(connections, connections.names.receipts, (value) => {
    receipts.push(JSON.parse(value))
  })
  return receipts
}
