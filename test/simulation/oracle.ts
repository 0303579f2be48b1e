import type { MemoryLog } from '../helpers/memory-log.ts'
import { isAsked, numberOf, ownIdOf } from './asked.ts'
import { deliveredRows } from './delivered-rows.ts'
import { counted, difference } from './difference.ts'
import { personFaults } from './judge-persons.ts'
import type { Ledger, Sent } from './ledger.ts'
import { type StoredRecord, storedRecords } from './stored-records.ts'
import type { World } from './world.ts'
import { DELIVERIES, names, PARTITIONS, SUBSCRIPTIONS } from './world-config.ts'

/** An event as outputs have it: dataset, id and the payload's own number. */
const nameOf = (dataset: unknown, id: unknown, n: unknown) => `${dataset}/${id}#${n}`
const nameOfSent = ({ dataset, id, n }: Sent) => nameOf(dataset, id, n)

/**
 * Compares what clients were told with what lies in every place.
 *
 * @returns one sentence per thing that is wrong; none when nothing was lost, doubled or changed
 */
export function judge(world: World, ledger: Ledger): string[] {
  const faults: string[] = []
  const enriched = storedRecords(world.log, names.enriched)
  const rejected = storedRecords(world.log, names.rejected)
  const inEnriched = counted(
    enriched.map(({ value }) => nameOf(value.dataset_id, ownIdOf(value), numberOf(value))),
  )
  const inRejected = counted(
    rejected.map(({ value }) =>
      nameOf(value.dataset_id, ownIdOf(payloadOf(value)), numberOf(payloadOf(value))),
    ),
  )
  faults.push(...ledgerFaults(ledger, inEnriched, inRejected))
  faults.push(
    ...idFaults(ledger, enriched, ownIdOf),
    ...idFaults(ledger, rejected, (value) => ownIdOf(payloadOf(value))),
  )
  faults.push(...sourceFaults('events.enriched', enriched), ...sourceFaults('events.rejected', rejected))
  faults.push(...receiptFaults(world.log, enriched, rejected))
  for (const { id, datasets, where } of SUBSCRIPTIONS) {
    const expected = enriched.filter(({ value }) => isAsked(value, datasets, where)).map(eventName)
    faults.push(
      ...difference(`sub.${id}`, expected, storedRecords(world.log, names.subscriber(id)).map(eventName)),
    )
  }
  for (const delivery of DELIVERIES) {
    const source = delivery.source === 'rejected' ? rejected : enriched
    const expected = source
      .filter(({ value }) => isAsked(value, delivery.datasets, delivery.where))
      .map(({ value }) => sourceName(value))
    const { rows, problems } = deliveredRows(world, delivery)
    faults.push(...problems, ...difference(`delivery ${delivery.id}`, expected, rows.map(sourceName)))
  }
  for (const [table, source] of [
    ['events', enriched],
    ['rejected_events', rejected],
  ] as const)
    faults.push(
      ...difference(
        `table ${table}`,
        source.map(({ value }) => sourceName(value)),
        world.warehouse.rows(table).map(sourceName),
      ),
    )
  faults.push(...personFaults(world, enriched))
  return faults
}

/** A world without trouble takes what it is given; that it arrives is judged as of all that was acknowledged. */
export function freshFaults({ events }: Ledger): string[] {
  return events
    .filter(({ id, fate }) => id.startsWith('fresh-') && fate !== 'acked')
    .map(({ dataset, id, fate }) => `${dataset}/${id}, sent after the trouble, is ${fate}.`)
}

/** What was kept from coming twice, as the stages say. */
export function countRemoved({ log }: World): { duplicates: number; conflicts: number } {
  const sum = storedRecords(log, names.receipts).reduce(
    (count, { value }) => count + Number(value.duplicate),
    0,
  )
  const conflicts = storedRecords(log, names.rejected).filter(({ value }) => value.code === 'id_conflict')
  return { duplicates: sum, conflicts: conflicts.length }
}

/** Acknowledged: exactly once, in the place for its kind. Unknown: at most once. Refused: never. */
function ledgerFaults(
  { events }: Ledger,
  inEnriched: ReadonlyMap<string, number>,
  inRejected: ReadonlyMap<string, number>,
): string[] {
  const faults: string[] = []
  const known = new Set(events.map(nameOfSent))
  for (const sent of events) {
    const name = nameOfSent(sent)
    const [good, bad] = [inEnriched.get(name) ?? 0, inRejected.get(name) ?? 0]
    const place = sent.kind === 'good' ? 'events.enriched' : 'events.rejected'
    const [right, wrong] = sent.kind === 'good' ? [good, bad] : [bad, good]
    if (wrong > 0) faults.push(`${name} (${sent.kind}) is where it must not be, ${wrong} times.`)
    if (right > 1) faults.push(`${name} is ${right} times in ${place}.`)
    if (sent.fate === 'acked' && right === 0) faults.push(`${name} was acknowledged and is not in ${place}.`)
    if (sent.fate === 'refused' && right > 0) faults.push(`${name} was refused and is in ${place}.`)
  }
  for (const name of [...inEnriched.keys(), ...inRejected.keys()])
    if (!known.has(name)) faults.push(`${name} was never sent.`)
  return faults
}

/** An id that a client gave is kept as it is; one that was made is the same for every try. */
function idFaults(
  { events }: Ledger,
  records: readonly StoredRecord[],
  ownId: (value: StoredRecord['value']) => unknown,
): string[] {
  const keyed = new Set(events.filter((sent) => sent.keyed).map(({ id }) => id))
  return records
    .filter(({ value }) => value.event_id !== ownId(value) && !keyed.has(String(ownId(value))))
    .map(({ value }) => `${ownId(value)} has the id ${value.event_id}.`)
}

/** Raw offsets only go up, and stay in their partition. */
function sourceFaults(topic: string, records: readonly StoredRecord[]): string[] {
  const faults: string[] = []
  const last = new Map<number, number>()
  for (const { partition, headers } of records) {
    const [from, offset] = (headers('src') ?? '').split(':').map(Number) as [number, number]
    if (from !== partition) faults.push(`${topic}[${partition}] has a record of raw partition ${from}.`)
    if (offset <= (last.get(partition) ?? -1))
      faults.push(`${topic}[${partition}]: raw offset ${offset} comes again or late.`)
    last.set(partition, offset)
  }
  return faults
}

/** Every raw offset is in one receipt, and what receipts say was written is there. */
function receiptFaults(
  log: MemoryLog,
  enriched: readonly StoredRecord[],
  rejected: readonly StoredRecord[],
): string[] {
  const faults: string[] = []
  const receipts = storedRecords(log, names.receipts)
  for (let partition = 0; partition < PARTITIONS; partition++) {
    let next = 0
    for (const { value } of receipts.filter((each) => each.partition === partition)) {
      const [from, to] = [Number(value.from), Number(value.to)]
      if (from !== next)
        faults.push(`Receipts of raw partition ${partition} go on at ${from} where ${next} must follow.`)
      next = to + 1
      const within = (records: readonly StoredRecord[]) =>
        records.filter((each) => {
          const [source, offset] = (each.headers('src') ?? '').split(':').map(Number) as [number, number]
          return source === partition && offset >= from && offset <= to
        }).length
      const sum =
        Number(value.enriched) + Number(value.rejected) + Number(value.duplicate) + Number(value.control)
      if (sum !== to - from + 1) faults.push(`The receipt ${partition}:${from}–${to} adds up to ${sum}.`)
      if (within(enriched) !== value.enriched || within(rejected) !== value.rejected)
        faults.push(
          `The receipt ${partition}:${from}–${to} says ${value.enriched} enriched and ${value.rejected} rejected, there are ${within(enriched)} and ${within(rejected)}.`,
        )
    }
    const raw = log.controls.records(names.raw, partition)
    const end = raw === null ? 0 : raw.offset(raw.length - 1) + 1
    if (next !== end)
      faults.push(`Receipts of raw partition ${partition} end at ${next}, it has ${end} records.`)
  }
  return faults
}

const eventName = ({ value }: StoredRecord) => nameOf(value.dataset_id, ownIdOf(value), numberOf(value))
/** Of rows, whose payload may be a text in a column: where they come from names them as well. */
const sourceName = (value: { readonly [name: string]: unknown }) =>
  `${value.dataset_id}/${value.event_id} of ${value.src_partition}:${value.src_offset}`

/** What a rejected event carries of the client's. */
function payloadOf(value: { readonly [name: string]: unknown }): { readonly [name: string]: unknown } {
  return typeof value.payload === 'string' ? JSON.parse(value.payload) : (value.payload as never)
}
