import type { Delivery } from '../../../schemas/control/v1.ts'
import { manifestKey, manifestPrefix } from '../../../schemas/manifest/v1.ts'
import { canonicalHash } from '../../core/control/canonical-json.ts'
import type { ControlChange } from '../../core/control/control-publisher.ts'
import { type AnyControlRecord, controlRecord } from '../../core/control/control-state.ts'
import type { ControlView } from '../../core/control/control-view.ts'
import { windowAt } from '../../core/control/delivery-window.ts'
import { readManifest } from '../../core/manifest/read-manifest.ts'
import type {
  BatchExportChainRow,
  BatchExportPositionRow,
  BatchExportRow,
} from '../../core/metadata/metadata-tables.ts'
import type { DestinationStores } from '../../core/object-store/destination-stores.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { type Dependency, isDependencyError } from '../../core/runtime/errors.ts'
import type { FailPoint } from '../../core/runtime/fail-points.ts'
import type { Logger } from '../../core/runtime/logger.ts'
import { deliveryOf, windowOf } from './batch-export-delivery.ts'
import type { BatchExportMetrics } from './batch-export-metrics.ts'
import type { BatchExportStore } from './batch-export-store.ts'
import { createTables } from './batch-export-tables.ts'
import { completeUntilMs, isFinal } from './chain-progress.ts'
import type { MayConnect } from './destination-kind.ts'
import type { DestinationTable, OpenDestinationTable } from './destination-table.ts'
import { loadBatch } from './load-batch.ts'
import { type ClosedRange, isWithin, type OffsetRange, without } from './offset-ranges.ts'
import { backfillRanges } from './plan-backfill.ts'
import { checkWritable } from './write-check.ts'

/** Manifests of one partition that one look reads at most. */
const MANIFESTS_PER_LOOK = 200
/** Time that one chain may load in one look, ms, before others have their turn. */
const LOADING_MS = 20_000
/** Characters of an error that is shown. */
const ERROR_LENGTH_MAX = 500
/** After its end, an interval takes some minutes to be complete; one that takes longer may wait for its bucket. */
const OVERDUE_MS = 10 * 60_000
/** Between two tries to write to a bucket, unless its configuration changed. */
const CHECK_EVERY_MS = 60_000
/** What is somebody else's, so that its failures hold up nobody but him. */
const THEIRS: ReadonlySet<Dependency> = new Set(['s3', 'destination'])
/** Chains that the S3 sink carries out; one that is cancelled says in manifests what it leaves out. */
const IN_FORCE: ReadonlySet<BatchExportChainRow['status']> = new Set(['running', 'cancelling'])

/** What batch exports need of the world beside the database. */
export interface BatchExportOptions {
  readonly destinations: DestinationStores
  /** That credentials are sealed with; null where there is none. */
  readonly secretKey: Uint8Array | null
  /** Changes of `millrace.control`, in one publication. */
  readonly publish: (changes: readonly ControlChange[]) => Promise<void>
  /** Per partition of the enriched events: the first offset that landed so late or later. */
  readonly offsetsAt: (timestampMs: number) => Promise<readonly number[]>
  /** Bucket of the installation for batches that are loaded from there. */
  readonly stagingBucket: string
  readonly mayConnect: MayConnect
  readonly openTable: OpenDestinationTable
  readonly failPoint: FailPoint<'after_load'>
  /** Pause between two looks, ms. */
  readonly lookEveryMs: number
}

export interface KeeperNeeds extends BatchExportOptions {
  readonly store: BatchExportStore
  readonly control: Pick<ControlView, 'snapshot' | 'pinned'>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: BatchExportMetrics
  /** Topic of the enriched events. */
  readonly topic: string
}

export interface BatchExportKeeper {
  /** Makes the deliveries in force those that the database asks for. */
  publish(): Promise<void>
  /** Reads what manifests say that is new, and goes on with backfills. */
  look(): Promise<void>
  /** Both, again and again, until told to stop. Never rejects. */
  run(stopping: AbortSignal): Promise<void>
}

/**
 * Holds three things together: what people asked for (the database), what the S3 sink is told (`millrace.control`) and
 * what it did (manifests). Each step follows from what lies there, so a process may die between any two, and several may
 * take them at once.
 */
export function createBatchExportKeeper(needs: KeeperNeeds): BatchExportKeeper {
  const { store, control, clock, logger, metrics, destinations, topic } = needs
  const accountOf = (dataset: string) => control.snapshot.datasets.get(dataset)?.object.account
  const deliveryFor = (row: BatchExportRow, chain: BatchExportChainRow) =>
    deliveryOf(row, chain, accountOf(row.dataset_id) ?? '', needs.stagingBucket)
  const tables = createTables(needs)

  async function publish(): Promise<void> {
    const changes: ControlChange[] = []
    for (const { chain, row } of await store.allChains()) {
      const inForce = control.snapshot.deliveries.get(chain.delivery_id)
      if (row === null || !IN_FORCE.has(chain.status)) {
        if (inForce !== undefined) changes.push({ action: 'remove', kind: 'delivery', id: chain.delivery_id })
        else if (chain.status === 'removed') await store.removeChain(chain.delivery_id)
      } else if (accountOf(row.dataset_id) !== undefined) {
        const delivery = deliveryFor(row, chain)
        if (inForce?.hash === canonicalHash(delivery)) continue
        const record = controlRecord('delivery', delivery, 'api') as AnyControlRecord
        changes.push({ action: 'put', record })
      }
    }
    if (changes.length > 0) await needs.publish(changes)
  }

  /** Of one chain: loads and counts what its new manifests name, in the order of their offsets. */
  async function read(
    chain: BatchExportChainRow,
    row: BatchExportRow,
    table: DestinationTable | null,
  ): Promise<void> {
    const startedMs = clock.now()
    const delivery = deliveryFor(row, chain)
    const bucket = delivery.bucket as string
    const from = destinations.of(delivery)
    const planned = JSON.parse(chain.ranges) as OffsetRange[][]
    for (const { partition_number: partition, next_offset: next } of await store.positions(
      chain.delivery_id,
    )) {
      const prefix = manifestPrefix(chain.delivery_id, topic, partition)
      const after = next === 0 ? undefined : manifestKey(chain.delivery_id, topic, partition, next - 1)
      let seen = 0
      for await (const { key } of from.list(bucket, prefix, after)) {
        if (seen++ === MANIFESTS_PER_LOOK || (table !== null && clock.now() - startedMs > LOADING_MS)) break
        const bytes = await from.get(bucket, key)
        const manifest = bytes === null ? 'It is not there any more.' : readManifest(bytes)
        if (typeof manifest === 'string') throw new UnreadableManifest(`${key}: ${manifest}`)
        const { source, receipt, objects } = manifest
        const asked = isAsked(control.pinned('delivery', manifest.config)?.object, partition, source)
        // A process that dies in between finds it loaded, and counts it.
        if (table !== null) {
          metrics.loaded(await loadBatch(table, from, key, manifest))
          await needs.failPoint('after_load')
        }
        // No batch lies on both sides of a border, and its last offset is that of a record; its first may be that of the
        // end of a transaction, before the border.
        const counted = await store.count(
          chain.delivery_id,
          {
            key,
            partition,
            start: source.start,
            end: source.end,
            landed: source.landed,
            window: windowAt(windowOf(row), source.landed),
            isAsked: asked,
            isGivenUp: chain.kind === 'backfill' && !asked && isWithin(planned[partition] ?? [], source.end),
            records: receipt.delivered,
            bytes: objects.reduce((sum, object) => sum + object.bytes, 0),
            files: objects.length,
          },
          clock.now(),
        )
        if (!counted) break
      }
    }
  }

  /** When, and under which configuration, the buckets of chains were last tried. */
  const checks = new Map<string, { readonly hash: string; readonly atMs: number; readonly isFine: boolean }>()

  /**
   * Reading tells nothing of a bucket that may be read but not written. So whether it may is tried where files are due:
   * before the first manifest until it succeeds, and while an interval is overdue.
   *
   * @returns false while that is not known
   * @throws DependencyError of what cannot be written
   */
  async function isWritable(
    chain: BatchExportChainRow,
    row: BatchExportRow,
    table: DestinationTable | null,
  ): Promise<boolean> {
    const { delivery_id: id } = chain
    const nowMs = clock.now()
    const positions = await store.positions(id)
    const isLate = isOverdue(chain, row, positions, nowMs)
    if (!isLate && !isNew(chain, row, positions)) {
      checks.delete(id)
      return true
    }
    const delivery = deliveryFor(row, chain)
    const hash = canonicalHash([delivery, row.config, row.sealed_credentials])
    const last = checks.get(id)
    if (last?.hash === hash) {
      if (last.isFine && !isLate) return true
      if (nowMs - last.atMs < CHECK_EVERY_MS) return last.isFine
    }
    checks.set(id, { hash, atMs: nowMs, isFine: false })
    if (table === null) await checkWritable(destinations.of(delivery), delivery.bucket as string, delivery)
    else await table.prepare()
    checks.set(id, { hash, atMs: nowMs, isFine: true })
    return true
  }

  async function isDone(chain: BatchExportChainRow): Promise<boolean> {
    const ranges = JSON.parse(chain.ranges) as ClosedRange[][]
    const positions = await store.positions(chain.delivery_id)
    return positions.every(({ partition_number: partition, next_offset: next }) => {
      const last = ranges[partition]?.at(-1)
      return last === undefined || last[0] >= last[1] || next >= last[1]
    })
  }

  /** A schedule is over when every partition has a manifest of what landed after its end. */
  async function endIfOver(chain: BatchExportChainRow, { end_at: endMs }: BatchExportRow): Promise<void> {
    if (endMs === null) return
    const positions = await store.positions(chain.delivery_id)
    if (positions.length > 0 && positions.every(({ landed }) => landed >= endMs))
      await store.end(chain, endMs, clock.now())
  }

  /** What a waiting backfill has to deliver, if that is decided. */
  async function decide(chain: BatchExportChainRow, row: BatchExportRow): Promise<void> {
    const chains = await store.chains(chain.dataset_id, chain.export_id)
    const schedule = chains.find(({ kind }) => kind === 'schedule')
    if (schedule === undefined || chain.start_at === null || chain.end_at === null) return
    const isEnded = schedule.status === 'completed'
    // What lies after its end is the backfill's, once the schedule has got there.
    if (!isEnded && row.end_at !== null && chain.end_at > row.end_at) return
    const [starts, ends] = await Promise.all([needs.offsetsAt(chain.start_at), needs.offsetsAt(chain.end_at)])
    const positions = await store.positions(schedule.delivery_id)
    const from = JSON.parse(schedule.ranges) as OffsetRange[][]
    const taken = await takenBy(chains)
    const plan = (others: readonly BatchExportChainRow[]) =>
      positions.map(({ partition_number: partition, next_offset: readTo, skipped, first_offset: begun }) =>
        backfillRanges({
          asked: [starts[partition] ?? 0, ends[partition] ?? 0],
          scheduleStart: begun,
          scheduleFrom: from[partition]?.[0]?.[0] ?? 0,
          readTo,
          isEnded,
          skipped: JSON.parse(skipped) as ClosedRange[],
          others: others.flatMap((other) => taken(other)?.[partition] ?? []),
        }),
      )
    const isOpen = (others: readonly BatchExportChainRow[]) => others.some((other) => taken(other) === null)
    if (isOpen(chains) || plan(chains).some((ranges) => ranges === null)) return
    const first = windowAt(windowOf(row), chain.start_at)
    const decided = (others: readonly BatchExportChainRow[]) =>
      isOpen(others)
        ? null
        : JSON.stringify(
            // A partition without anything to deliver begins, and ends, where the backfill does.
            plan(others).map((ranges, partition) =>
              ranges === null || ranges.length === 0
                ? [[ends[partition] ?? 0, ends[partition] ?? 0]]
                : ranges,
            ),
          )
    await store.decide(chain, first, decided, clock.now())
  }

  /**
   * What backfills have taken for themselves, per partition: all that they were to deliver, or what a cancelled one has
   * delivered, which its manifests say.
   *
   * @returns of each chain; null while that is not decided
   */
  async function takenBy(chains: readonly BatchExportChainRow[]) {
    const delivered = new Map<string, ClosedRange[][]>()
    for (const { delivery_id: id, ranges } of chains.filter(({ status }) => status === 'cancelled')) {
      const own = JSON.parse(ranges) as ClosedRange[][]
      const positions = await store.positions(id)
      delivered.set(
        id,
        positions.map(({ partition_number: partition, skipped }) =>
          without(own[partition] ?? [], JSON.parse(skipped) as ClosedRange[]),
        ),
      )
    }
    return ({ delivery_id: id, kind, status, ranges }: BatchExportChainRow): ClosedRange[][] | null => {
      if (kind !== 'backfill' || status === 'waiting') return []
      if (status === 'cancelling') return null
      // One that has been cancelled since then is looked at anew.
      if (status === 'cancelled') return delivered.get(id) ?? null
      return JSON.parse(ranges) as ClosedRange[][]
    }
  }

  async function look(): Promise<void> {
    const all = await store.allChains()
    const known = new Set(all.map(({ chain }) => chain.delivery_id))
    for (const id of checks.keys()) if (!known.has(id)) checks.delete(id)
    let waiting = 0
    for (const { chain, row } of all) {
      if (row === null || chain.status === 'removed' || isFinal(chain)) continue
      if (tables.isResting(row)) {
        waiting++
        continue
      }
      let table: DestinationTable | null = null
      try {
        let isFine = true
        if (chain.status === 'waiting') await decide(chain, row)
        else {
          table = tables.of(row)
          await read(chain, row, table)
          if (chain.kind === 'schedule') await endIfOver(chain, row)
          else if (await isDone(chain)) await store.finish(chain.delivery_id, clock.now())
          isFine = await isWritable(chain, row, table)
        }
        if (!isFine) waiting++
        else if (chain.latest_error !== null) await store.noteError(chain.delivery_id, null)
      } catch (error) {
        // Of somebody else's bucket or table: he is told, and the others go on.
        const isTheirs =
          error instanceof UnreadableManifest || (isDependencyError(error) && THEIRS.has(error.dependency))
        if (!isTheirs) throw error
        waiting++
        metrics.failed(row.destination, isDependencyError(error) ? error.code : 'corrupt')
        if (isDependencyError(error) && error.dependency === 'destination') tables.rest(row)
        // What lies between is the installation's own.
        else if (table !== null) logger.warn({ err: error }, 'Batches for a table cannot be read.')
        const latest_error = error.message.slice(0, ERROR_LENGTH_MAX)
        if (chain.latest_error !== latest_error) await store.noteError(chain.delivery_id, latest_error)
      } finally {
        await table?.close()
      }
    }
    metrics.waiting(waiting)
  }

  return {
    publish,
    look,
    async run(stopping) {
      while (!stopping.aborted) {
        try {
          await look()
          await publish()
        } catch (error) {
          if (!isDependencyError(error)) throw error
          logger.warn({ err: error }, 'Batch exports wait for what they depend on.')
        }
        await clock.sleep(needs.lookEveryMs, stopping)
      }
    },
  }
}

/** Did a delivery ask for what a batch is made of? No batch lies on both sides of a border. */
function isAsked(
  delivery: Delivery | undefined,
  partition: number,
  { end, landed }: { readonly end: number; readonly landed: number },
): boolean {
  const ranges = delivery?.ranges?.[partition] as readonly OffsetRange[] | undefined
  const isOver = delivery?.until !== undefined && landed >= Date.parse(delivery.until)
  return !isOver && (ranges === undefined || isWithin(ranges, end))
}

/** Is it one that reads, and that no manifest speaks of yet? */
function isNew(
  chain: BatchExportChainRow,
  row: BatchExportRow,
  positions: readonly BatchExportPositionRow[],
): boolean {
  if (chain.kind === 'schedule' && row.paused === 1) return false
  return positions.every(({ first_offset: first, next_offset: next }) => next === first)
}

/** Should there be files that are not there? */
function isOverdue(
  chain: BatchExportChainRow,
  row: BatchExportRow,
  positions: readonly BatchExportPositionRow[],
  nowMs: number,
): boolean {
  const untilMs = completeUntilMs(chain.ranges, positions)
  if (chain.kind !== 'schedule')
    return untilMs !== Number.POSITIVE_INFINITY && nowMs - chain.created_at > OVERDUE_MS
  if (row.paused === 1) return false
  const endedMs = windowAt(windowOf(row), nowMs - OVERDUE_MS).startMs
  // Before it began nothing was due.
  return endedMs > row.start_at && untilMs < Math.min(endedMs, row.end_at ?? endedMs)
}

class UnreadableManifest extends Error {}
