import type { ClickHouse } from '../../core/clickhouse/clickhouse.ts'
import { partitionOf } from '../../core/kafka/partition.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { DependencyError, isDependencyError } from '../../core/runtime/errors.ts'
import type { Logger } from '../../core/runtime/logger.ts'

export interface EventEraserDependencies {
  readonly clickhouse: Pick<ClickHouse, 'query' | 'command'>
  readonly clock: Clock
  readonly logger: Logger
  /** Told of events that were taken out. */
  readonly erased: (events: number) => void
}

/**
 * How long events that had arrived before a deletion may still come into the table, ms: as long as `events.raw` keeps
 * what nobody has read.
 */
export const WATCH_MS = 7 * 86_400_000
/** From one look for such latecomers to the next, ms. */
export const SWEEP_MS = 3_600_000
/** From a sweep that failed to the next, ms. */
export const RETRY_MS = 60_000
/** From one rewriting of parts with masked rows to the next, ms. */
export const REWRITE_MS = 86_400_000
/** Distinct ids of one sweep, and of one statement, in whose address their text travels. */
const IDS_PER_SWEEP_MAX = 10_000
const IDS_PER_STATEMENT_MAX = 200

export interface EventEraser {
  /** Deletions were told to ClickHouse. */
  nudge(): void
  /** Until the signal aborts; never rejects for what ClickHouse does: the next sweep does it again. */
  run(signal: AbortSignal): Promise<void>
}

interface DueRow {
  readonly dataset_id: string
  readonly distinct_id: string
  readonly until_ms: number | string
  readonly events: number | string
}

/** Whose deletions are still looked after. */
const OPEN = `SELECT DISTINCT dataset_id FROM event_deletions
  WHERE arrived_until > fromUnixTimestamp64Milli({since:Int64})`

/** A statement that was not waited for to its end goes on; a second one beside it would only do the work twice. */
const UNFINISHED = `SELECT count() AS mutations FROM system.mutations
  WHERE database = currentDatabase() AND table = 'events' AND NOT is_done`

const ASKED = `FROM event_deletions WHERE arrived_until > fromUnixTimestamp64Milli({since:Int64})
  AND dataset_id IN ({datasets:Array(String)})`

/** Distinct ids that have events which are to go, however often that was done before. */
const DUE = `SELECT dataset_id, distinct_id, toUnixTimestamp64Milli(until) AS until_ms, count() AS events
  FROM (
    SELECT dataset_id AS its_dataset, assumeNotNull(distinct_id) AS its_id, collector_time FROM events
    WHERE dataset_id IN ({datasets:Array(String)}) AND distinct_id IN (SELECT distinct_id ${ASKED})
  ) AS there
  INNER JOIN (
    SELECT dataset_id, distinct_id, max(arrived_until) AS until ${ASKED} GROUP BY dataset_id, distinct_id
  ) AS asked ON its_dataset = dataset_id AND its_id = distinct_id
  WHERE collector_time <= until GROUP BY dataset_id, distinct_id, until
  ORDER BY dataset_id, until_ms, distinct_id LIMIT {max:UInt64}`

/** Rows are out of every answer when this returns. */
const DELETE = `DELETE FROM events WHERE dataset_id = {dataset:String}
  AND distinct_id IN ({ids:Array(String)}) AND collector_time <= fromUnixTimestamp64Milli({until:Int64})`

/** Writes parts anew without the rows that are masked in them; the old ones are removed some minutes later. */
const REWRITE = 'ALTER TABLE events APPLY DELETED MASK'
const MASKED_SINCE = `SELECT count() AS deletions FROM event_deletions
  WHERE arrived_until > fromUnixTimestamp64Milli({since:Int64})`

/**
 * Takes the events out of ClickHouse that `event_deletions` names, for the datasets whose persons lie in one partition.
 *
 * Nothing has to be remembered of what was done: every sweep looks which events are there that should not be, so a
 * repetition, a kill or a table of deletions that was told again changes nothing. Events that arrived before the
 * deletion may be inserted after it (they waited in Kafka, or in the store of a collector), and the ClickHouse sink
 * inserts a row again that it misses after an insert with an unknown end; so it is looked for them for as long as
 * {@link WATCH_MS}.
 */
export function createEventEraser(
  deps: EventEraserDependencies,
  where: { readonly partition: number; readonly partitions: number },
): EventEraser {
  const { clickhouse, clock, logger } = deps
  let wake = new AbortController()
  let rewrittenAt: number | null = null

  async function sweep(signal: AbortSignal): Promise<void> {
    const since = clock.now() - WATCH_MS
    const open = await clickhouse.query<{ dataset_id: string }>(OPEN, { since }, { signal })
    const datasets = open.map(({ dataset_id }) => dataset_id).filter(isOwn)
    if (datasets.length === 0) return
    const [pending] = await clickhouse.query<{ mutations: number | string }>(UNFINISHED, {}, { signal })
    if (Number(pending?.mutations ?? 0) > 0)
      throw new DependencyError('clickhouse', 'overloaded', 'The table of events is being changed.')
    const asked = { since, datasets, max: IDS_PER_SWEEP_MAX }
    const due = await clickhouse.query<DueRow>(DUE, asked, { signal })
    const alike = Map.groupBy(due, (row) => JSON.stringify([row.dataset_id, row.until_ms]))
    for (const rows of alike.values())
      for (let from = 0; from < rows.length; from += IDS_PER_STATEMENT_MAX)
        await erase(rows.slice(from, from + IDS_PER_STATEMENT_MAX), signal)
    if (due.length === IDS_PER_SWEEP_MAX) wake.abort()
  }

  async function erase(rows: readonly DueRow[], signal: AbortSignal): Promise<void> {
    const { dataset_id: dataset, until_ms } = rows[0] as DueRow
    const ids = rows.map(({ distinct_id }) => distinct_id)
    const settings = { lightweight_deletes_sync: 2 }
    await clickhouse.command(DELETE, { dataset, ids, until: Number(until_ms) }, { signal, settings })
    deps.erased(rows.reduce((sum, { events }) => sum + Number(events), 0))
  }

  /** By one worker, since the table is one; at its start too, for it may have been long since the last time. */
  async function rewrite(signal: AbortSignal): Promise<void> {
    if (where.partition !== 0) return
    if (rewrittenAt !== null && clock.monotonic() - rewrittenAt < REWRITE_MS) return
    const since = clock.now() - WATCH_MS - REWRITE_MS
    const [row] = await clickhouse.query<{ deletions: number | string }>(MASKED_SINCE, { since }, { signal })
    if (Number(row?.deletions ?? 0) > 0) await clickhouse.command(REWRITE, {}, { signal })
    rewrittenAt = clock.monotonic()
  }

  function isOwn(datasetId: string): boolean {
    return partitionOf(Buffer.from(datasetId), where.partitions) === where.partition
  }

  return {
    nudge: () => wake.abort(),
    async run(signal) {
      while (!signal.aborted) {
        wake = new AbortController()
        let restMs = SWEEP_MS
        try {
          await sweep(signal)
          await rewrite(signal)
        } catch (err) {
          if (signal.aborted) return
          if (!isDependencyError(err)) throw err
          logger.warn({ err, partition: where.partition }, 'Deleted events wait for ClickHouse.')
          restMs = RETRY_MS
        }
        await clock.sleep(restMs, AbortSignal.any([signal, wake.signal]))
      }
    },
  }
}
