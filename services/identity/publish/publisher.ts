import type { ClickHouse, QuerySettings } from '../../core/clickhouse/clickhouse.ts'
import type { TransactionalProducer } from '../../core/kafka/log.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import type { FailPoint } from '../../core/runtime/fail-points.ts'
import type { Logger } from '../../core/runtime/logger.ts'
import { PATIENT, retry } from '../../core/runtime/retry.ts'
import type { IdentityFailPoint } from '../fail-points.ts'
import type { IdentityStore, OutboxRow, OutboxTarget } from '../store/identity-store.ts'
import { personRecords } from './person-records.ts'

export interface PublisherDependencies {
  readonly store: IdentityStore
  readonly clickhouse: ClickHouse
  /** The topic of persons, and how many partitions it has. */
  readonly persons: { readonly topic: string; readonly partitions: number }
  readonly rowsMax: number
  readonly bytesMax: number
  /** Least time from one publication to the next: many small inserts cost ClickHouse more than a few large ones. */
  readonly intervalMs: number
  readonly clock: Clock
  readonly random: () => number
  readonly failPoint: FailPoint<IdentityFailPoint>
  readonly logger: Logger
  readonly meter: (rows: ReadonlyMap<OutboxTarget, number>, seconds: number) => void
}

/** How the lines of the outbox are read (schemas/field.ts). */
const INSERT_SETTINGS: QuerySettings = {
  async_insert: 0,
  date_time_input_format: 'best_effort',
  input_format_json_read_objects_as_strings: 1,
  input_format_skip_unknown_fields: 1,
}

/** Tables that hold what persons are like. */
const ERASED_TABLES = ['person_changes', 'persons'] as const

/** Named by the outbox row's own members. */
function eraseFrom(table: (typeof ERASED_TABLES)[number]): string {
  return `ALTER TABLE ${table} DELETE WHERE dataset_id = {dataset_id:String}
    AND person_key IN {person_keys:Array(String)} AND version < {version:UInt64}`
}

/** Looks again at least so often, ms: rows of an owner before may wait. */
const IDLE_MS = 1_000

export interface Publisher {
  /** Rows were queued. */
  nudge(): void
  /**
   * Tells the rows of the partition in their order, until the signal aborts: first the topic, then ClickHouse, then
   * they are taken from the outbox. ClickHouse is asked again for as long as it takes.
   *
   * @throws DependencyError what another try here does not mend: above all `fenced`, when the partition has another owner
   */
  run(signal: AbortSignal): Promise<void>
}

/**
 * Tells what became of persons, at least once. Rows carry versions, so a row that comes again says nothing new; and
 * the producer was fenced by whoever owns the partition now, so no older row comes behind a newer one for good.
 *
 * @param onEventDeletions called when ClickHouse has been told of events to be deleted
 */
export function createPublisher(
  deps: PublisherDependencies,
  partition: number,
  producer: TransactionalProducer,
  onEventDeletions: () => void,
): Publisher {
  const { store, clickhouse, clock, failPoint, logger } = deps
  let wake = new AbortController()

  async function rest(ms: number, signal: AbortSignal): Promise<void> {
    await clock.sleep(ms, AbortSignal.any([signal, wake.signal]))
    wake = new AbortController()
  }

  async function tellTopic(rows: readonly OutboxRow[]): Promise<void> {
    const records = personRecords(rows, deps.persons.topic, deps.persons.partitions)
    if (records.length === 0) return
    await producer.begin()
    await producer.send(records)
    await producer.commit()
  }

  async function tellClickHouse(rows: readonly OutboxRow[], signal: AbortSignal): Promise<void> {
    const onRetry = (err: Error) => logger.warn({ err, partition }, 'Rows of persons wait for ClickHouse.')
    const patiently = (ask: () => Promise<void>) =>
      retry(PATIENT, { clock, random: deps.random, signal, onRetry }, ask)
    const { erasures = [], ...tables } = Object.groupBy(rows, ({ target }) => target)
    for (const [table, own] of Object.entries(tables)) {
      const body = Buffer.from(`${own.map(({ body }) => body).join('\n')}\n`)
      await patiently(() => clickhouse.insert(table, 'JSONEachRow', body, INSERT_SETTINGS, { signal }))
      await failPoint('during_insert')
    }
    if (tables.event_deletions) onEventDeletions()
    // What came after the deletion has a higher version, so it does not matter that it is there already.
    for (const { body } of erasures)
      for (const table of ERASED_TABLES)
        await patiently(() => clickhouse.command(eraseFrom(table), JSON.parse(body), { signal }))
  }

  return {
    nudge: () => wake.abort(),
    async run(signal) {
      while (!signal.aborted) {
        const rows = await store.pending(partition, deps.rowsMax, deps.bytesMax)
        const last = rows.at(-1)
        if (last === undefined) {
          await rest(IDLE_MS, signal)
          continue
        }
        const begunMs = clock.monotonic()
        await failPoint('before_topic')
        await tellTopic(rows)
        await failPoint('after_topic')
        await tellClickHouse(rows, signal)
        await failPoint('after_insert')
        await store.told(partition, last.seq)
        await failPoint('after_told')
        const counts = Map.groupBy(rows, ({ target }) => target)
        deps.meter(
          new Map([...counts].map(([target, own]) => [target, own.length])),
          (clock.monotonic() - begunMs) / 1000,
        )
        if (rows.length < deps.rowsMax) await clock.sleep(deps.intervalMs, signal)
      }
    },
  }
}
