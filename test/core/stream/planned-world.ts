import type {
  CommittedPosition,
  Log,
  Position,
  RecordBatch,
  TopicPartition,
} from '../../../services/core/kafka/log.ts'
import type { Clock } from '../../../services/core/runtime/clock.ts'
import { DependencyError } from '../../../services/core/runtime/errors.ts'
import { createLogger } from '../../../services/core/runtime/logger.ts'
import {
  createPlannedBatches,
  type PlannedEnvironment,
  type PlannedFailPoint,
} from '../../../services/core/stream/planned-batch.ts'
import type { CommittingConsumer } from '../../../services/core/stream/planned-commit.ts'
import type { Pinned, Plan, Progress } from '../../../services/core/stream/planned-plan.ts'
import type { BatchLimits, Delivered, Hold, PlannedSink } from '../../../services/core/stream/planned-sink.ts'

export const PARTITION: TopicPartition = { topic: 'events.enriched', partition: 3 }

/** The process died here. Never a DependencyError, so nothing handles it. */
export class Crash extends Error {}

export interface StoredRecord {
  readonly offset: number
  readonly timestamp: number
  readonly value: Buffer | null
  readonly src: string | null
}

/** Records at the given offsets, one append second apart, each with its raw offset. */
export function recordsAt(offsets: readonly number[]): StoredRecord[] {
  return offsets.map((offset, index) => ({
    offset,
    timestamp: 1_767_225_600_000 + offset * 1000,
    value: Buffer.from(`{"event":${offset}}`),
    src: `3:${index}`,
  }))
}

export function batchOf(records: readonly StoredRecord[], partition = PARTITION): RecordBatch {
  return {
    ...partition,
    length: records.length,
    byteLength: records.reduce((sum, record) => sum + (record.value?.length ?? 0), 0),
    offset: (index) => records[index]!.offset,
    timestamp: (index) => records[index]!.timestamp,
    key: () => null,
    value: (index) => records[index]!.value,
    header: (index, name) => (name === 'src' ? records[index]!.src : null),
  }
}

/** What one commit meets. `apply` is what a healthy coordinator does; one that is `late` arrives after the next one. */
export type CommitFate = 'apply' | 'refuse_silently' | 'apply_then_fail' | 'fail' | 'late'

export interface Effect {
  readonly start: number
  readonly end: number
  readonly offsets: readonly number[]
  readonly config: string
  readonly carry: string
}

/** Log, coordinator and sink of one partition, as they outlive the processes of a test; every effect is recorded. */
export function plannedWorld(records: StoredRecord[]) {
  const journal: string[] = []
  /** What the sink holds complete, by start offset: writing a range again adds nothing. */
  const held = new Map<number, Effect>()
  /** Commits that are still on their way, with the generation in which they were sent. */
  const underWay: (Position & { readonly metadata: string; readonly generation: number })[] = []
  const world = {
    records,
    journal,
    held,
    underWay,
    topicId: 'topic-1',
    logStart: 0,
    logEnd: null as number | null,
    committed: { offset: null as number | null, metadata: '' },
    assigned: true,
    epoch: 1,
    generation: 1,
    /** The group makes a new generation when a member asks. */
    renews: true,
    config: 'config-1',
    limits: { rows: 3, bytes: 1_000_000, ageMs: 60_000 } as BatchLimits,
    nowMs: 0,
    fates: [] as CommitFate[],
    /** Runs before a commit is answered. */
    onCommit: null as (() => void) | null,
    /** Runs before a replay is handed records. */
    onRead: null as (() => void) | null,
    /** Runs before the sink tells what it holds. */
    onTruth: null as (() => void) | null,
    crashAt: null as PlannedFailPoint | 'in_effect' | 'before_done_is_sent' | null,
    deliverError: null as Error | null,
    /** Runs as the effect begins. */
    onDeliver: null as ((hold: Hold) => Promise<void>) | null,
    knownConfigs: new Set(['config-1', 'config-2']),
    /** The sink tells nothing about ranges past a committed position. */
    truthIsBlind: false,
  }
  const failWith = (text: string) => new DependencyError('kafka', 'timeout', text)

  const consumer: CommittingConsumer = {
    get assignmentEpoch() {
      return world.epoch
    },
    assigned: () => world.assigned,
    get membership() {
      return String(world.generation)
    },
    renew() {
      if (world.renews) world.generation++
    },
    async commit([position]) {
      const fate = world.fates.shift() ?? 'apply'
      const kind = position!.metadata.includes('"plan"') ? 'plan' : 'done'
      journal.push(`commit ${kind} ${position!.offset}${fate === 'apply' ? '' : ` (${fate})`}`)
      if (kind === 'done' && world.crashAt === 'before_done_is_sent') throw new Crash('before_done_is_sent')
      if (fate === 'apply' || fate === 'apply_then_fail')
        world.committed = { offset: position!.offset, metadata: position!.metadata }
      for (const { offset, metadata, generation } of underWay.splice(0))
        if (generation === world.generation) world.committed = { offset, metadata }
      if (fate === 'late') underWay.push({ ...position!, generation: world.generation })
      world.onCommit?.()
      if (fate === 'fail' || fate === 'apply_then_fail' || fate === 'late') throw failWith('no answer')
    },
    async committed(): Promise<readonly CommittedPosition[]> {
      return [{ ...PARTITION, ...world.committed }]
    },
  }

  const log = {
    async openReader([position]: readonly Position[]) {
      let next = position!.offset
      return {
        async read() {
          world.onRead?.()
          const found = world.records.filter((record) => record.offset >= next).slice(0, 2)
          if (found.length === 0) {
            world.nowMs += 1000
            return []
          }
          next = found.at(-1)!.offset + 1
          return [batchOf(found)]
        },
        async close() {},
      }
    },
    admin: {
      describeTopic: async (topic: string) => ({ topic, topicId: world.topicId, partitions: 6 }),
      offsetRanges: async () => [
        {
          ...PARTITION,
          start: world.logStart,
          end: world.logEnd ?? (world.records.at(-1)?.offset ?? -1) + 1,
        },
      ],
    },
  } as unknown as Pick<Log, 'openReader' | 'admin'>

  const sink: PlannedSink = {
    async open(after: Progress, pinned: Pinned | null) {
      const used = pinned ?? { config: world.config, settings: 'settings-1', controlOffset: 7 }
      if (!world.knownConfigs.has(used.config))
        throw new DependencyError('control', 'corrupt', `Configuration ${used.config} is not known.`)
      const offsets: number[] = []
      return {
        pinned: used,
        limits: world.limits,
        closesBefore: () => false,
        closesNow: () => false,
        add(batch, index) {
          offsets.push(batch.offset(index))
        },
        async flush() {},
        async deliver(plan: Plan, { replayed, hold }) {
          await world.onDeliver?.(hold)
          if (world.deliverError) throw world.deliverError
          journal.push(`deliver ${plan.start}–${plan.end}${replayed ? ' replayed' : ''}`)
          if (world.crashAt === 'in_effect') throw new Crash('in_effect')
          const effect = {
            start: plan.start,
            end: plan.end,
            offsets,
            config: used.config,
            carry: after.carry,
          }
          const stored = held.get(plan.start)
          if (stored && (stored.end !== plan.end || stored.offsets.join() !== offsets.join()))
            throw new DependencyError('s3', 'corrupt', 'Something else lies there.')
          held.set(plan.start, effect)
          return `after ${plan.start}`
        },
        async discard() {
          journal.push('discard')
        },
      }
    },
    async delivered(from: Progress | null): Promise<Delivered | null> {
      world.onTruth?.()
      if (world.truthIsBlind && from !== null) return null
      const ranges = [...held.values()]
        .filter((effect) => effect.start >= (from?.offset ?? 0))
        .sort((a, b) => a.start - b.start)
      const [first, last] = [ranges[0], ranges.at(-1)]
      if (!first || !last) return null
      return {
        firstEnd: first.end,
        progress: {
          offset: last.end + 1,
          src: Number(
            world.records.findLast((record) => record.offset <= last.end)?.src?.split(':')[1] ?? -1,
          ),
          landed: 0,
          carry: `after ${last.start}`,
        },
      }
    },
  }

  const clock: Clock = {
    now: () => world.nowMs,
    monotonic: () => world.nowMs,
    sleep: async (ms) => {
      world.nowMs += ms
    },
  }
  let nonce = 0
  const env: PlannedEnvironment = {
    log,
    clock,
    logger: createLogger('test', 'error', { write() {} }),
    nonce: () => `nonce-${nonce++}`,
    failPoint: (name) => {
      if (world.crashAt === name) throw new Crash(name)
    },
    observer: {
      planned: () => {},
      delivered: () => {},
      adopted: () => {
        journal.push('adopted')
      },
    },
    commitPolicy: { attempts: 3, pauseMs: 100 },
    replayIdleMs: 5000,
    sessionTimeoutMs: 10_000,
  }

  /** A process: its workers share what the factory remembers. */
  const startProcess = () => {
    world.generation++
    const workers = createPlannedBatches(env)
    return { worker: () => workers(PARTITION, consumer, sink) }
  }
  return Object.assign(world, { startProcess, consumer })
}

export type PlannedWorld = ReturnType<typeof plannedWorld>

/** Hands a started worker everything from `from` on, in batches of `size`. */
export async function feed(
  world: PlannedWorld,
  worker: { process(batch: RecordBatch): Promise<void> },
  from: number,
  size = 4,
): Promise<void> {
  const rest = world.records.filter((record) => record.offset >= from)
  for (let index = 0; index < rest.length; index += size)
    await worker.process(batchOf(rest.slice(index, index + size)))
}
