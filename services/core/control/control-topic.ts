import type { ControlKind, ControlRecord } from '../../../schemas/control/v1.ts'
import type { Log, Reader, RecordBatch, TopicSpec } from '../kafka/log.ts'
import type { KafkaNames } from '../kafka/topics.ts'
import type { Clock } from '../runtime/clock.ts'
import { DependencyError, isDependencyError } from '../runtime/errors.ts'
import type { Logger } from '../runtime/logger.ts'
import { unlessAborted } from '../runtime/unless-aborted.ts'
import { readControlEntry } from './control-records.ts'
import { type AnyControlRecord, controlKey, controlSnapshot } from './control-state.ts'
import type { ControlSnapshot, ControlView } from './control-view.ts'

export interface ControlSource {
  readonly log: Log
  readonly names: KafkaNames
  readonly clock: Clock
  readonly logger: Logger
}

/** Longest time for which the end of the topic may go unconfirmed before a stage must stop, ms. */
export const CONTROL_STALE_MS = 60_000
/** How often the end is looked up, ms. A change is seen as soon as it is fetched; this only proves that none is missing. */
const CONFIRM_EVERY_MS = 5_000
const READ_WAIT_MS = 500
const REOPEN_DELAY_MS = 1_000

export function controlTopicSpec(names: KafkaNames): TopicSpec {
  return {
    topic: names.control,
    partitions: 1,
    replicationFactor: -1,
    config: { 'cleanup.policy': 'compact' },
  }
}

/**
 * Reads the control topic to its end, making it where it is missing, and follows it until closed. Publications
 * apply whole or not at all.
 *
 * @throws DependencyError when the end cannot be reached now; opening again is up to the caller
 */
export async function openControlView(source: ControlSource): Promise<ControlView> {
  const { clock, logger, names } = source
  const listeners = new Set<(snapshot: ControlSnapshot) => void>()
  const state = createState(logger)
  const stop = new AbortController()
  let reader = await openReader(source, state.next)
  try {
    await readToEnd(source, reader, state)
  } catch (error) {
    await reader.close()
    throw error
  }
  let confirmedAt = clock.monotonic()

  async function follow(): Promise<void> {
    let lookedAt = confirmedAt
    while (!stop.signal.aborted) {
      const before = state.snapshot
      state.take(await reader.read(READ_WAIT_MS))
      if (state.snapshot !== before) for (const listener of listeners) listener(state.snapshot)
      if (clock.monotonic() - lookedAt < CONFIRM_EVERY_MS) continue
      lookedAt = clock.monotonic()
      const end = await unlessAborted(endOf(source, state.next), stop.signal)
      if (end !== null && positionOf(reader, names) >= end) confirmedAt = lookedAt
    }
  }

  async function followForever(): Promise<void> {
    while (!stop.signal.aborted) {
      try {
        await follow()
      } catch (error) {
        if (!isDependencyError(error)) throw error
        if (stop.signal.aborted) return
        logger.warn({ err: error }, 'Following the control topic failed; trying again.')
        await clock.sleep(REOPEN_DELAY_MS, stop.signal)
        reader = await reopen(reader)
      }
    }
  }

  /** A reader that cannot be replaced is kept: its next use fails, and this is tried again. */
  async function reopen(old: Reader): Promise<Reader> {
    try {
      const opening = openReader(source, state.next)
      const fresh = await unlessAborted(opening, stop.signal)
      if (fresh === null) {
        opening.then((late) => late.close()).catch(() => undefined)
        return old
      }
      await old.close()
      return fresh
    } catch (error) {
      if (!isDependencyError(error)) throw error
      return old
    }
  }

  const following = followForever()
  return {
    get snapshot() {
      return state.snapshot
    },
    onChange(listener) {
      listeners.add(listener)
      return () => listeners.delete(listener)
    },
    pinned: state.pinned,
    problem() {
      const ageMs = clock.monotonic() - confirmedAt
      if (ageMs > CONTROL_STALE_MS)
        return `The end of ${names.control} was last confirmed ${Math.round(ageMs / 1000)} s ago, so configuration may be missing. Check that Kafka answers.`
      return state.problem()
    },
    async close() {
      stop.abort()
      listeners.clear()
      await reader.close() // ends the read under way
      await following
      await reader.close() // one that was opened meanwhile
    },
  }
}

/** Everything in force, with who manages it; for tools that compare and publish. Throws as {@link openControlView}. */
export async function readControlRecords(source: ControlSource): Promise<readonly AnyControlRecord[]> {
  const state = createState(source.logger)
  const reader = await openReader(source, 0)
  try {
    await readToEnd(source, reader, state)
  } finally {
    await reader.close()
  }
  const problem = state.problem()
  if (problem !== null) throw new DependencyError('control', 'corrupt', problem)
  return state.records()
}

async function openReader({ log, names }: ControlSource, next: number): Promise<Reader> {
  await log.admin.createTopics([controlTopicSpec(names)])
  const [range] = await log.admin.offsetRanges(names.control, 'read_committed')
  return log.openReader([{ topic: names.control, partition: 0, offset: Math.max(next, range?.start ?? 0) }])
}

const positionOf = (reader: Reader, names: KafkaNames): number =>
  reader.position({ topic: names.control, partition: 0 })

/** @throws DependencyError('control', 'corrupt') when the topic ends before what was read from it */
async function endOf({ log, names }: ControlSource, next: number): Promise<number> {
  const [range] = await log.admin.offsetRanges(names.control, 'read_committed')
  const end = range?.end ?? 0
  if (end < next)
    throw new DependencyError(
      'control',
      'corrupt',
      `${names.control} ends at ${end}, but ${next} offsets were read from it: it was deleted or lost records. Run "millrace apply", then restart the stages.`,
    )
  return end
}

async function readToEnd(source: ControlSource, reader: Reader, state: State): Promise<void> {
  const { clock, names } = source
  const end = await endOf(source, 0)
  const startedAt = clock.monotonic()
  while (positionOf(reader, names) < end) {
    state.take(await reader.read(READ_WAIT_MS))
    if (clock.monotonic() - startedAt > CONTROL_STALE_MS)
      throw new DependencyError('control', 'timeout', `The end of ${names.control} (${end}) was not reached.`)
  }
}

interface State {
  readonly snapshot: ControlSnapshot
  /** Next offset to read. */
  readonly next: number
  take(batches: readonly RecordBatch[]): void
  records(): readonly AnyControlRecord[]
  pinned: ControlView['pinned']
  problem(): string | null
}

/** What the records say, publication by publication. */
function createState(logger: Logger): State {
  const objects = new Map<string, AnyControlRecord>()
  const versions = new Map<string, AnyControlRecord>()
  const unreadable = new Map<string, string>()
  let pending: (() => void)[] = []
  let next = 0
  let snapshot = controlSnapshot([], 0)

  function takeOne(key: Buffer | null, value: Buffer | null, offset: number): void {
    const entry = readControlEntry(key, value)
    switch (entry.sort) {
      case 'sentinel':
        for (const apply of pending) apply()
        pending = []
        snapshot = controlSnapshot(objects.values(), offset + 1)
        return
      case 'object':
        pending.push(() => {
          unreadable.delete(entry.key)
          if (entry.record === null) objects.delete(entry.key)
          else {
            objects.set(entry.key, entry.record)
            versions.set(controlKey(entry.record.kind, entry.record.hash), entry.record)
          }
        })
        return
      case 'pin':
        versions.set(controlKey(entry.record.kind, entry.record.hash), entry.record)
        return
      case 'unreadable':
        logger.error({ record: entry.key, offset, reason: entry.reason }, 'A control record cannot be read.')
        pending.push(() => unreadable.set(entry.key, entry.reason))
        return
      case 'unknown':
        return
    }
  }

  return {
    get snapshot() {
      return snapshot
    },
    get next() {
      return next
    },
    take(batches) {
      for (const batch of batches)
        for (let i = 0; i < batch.length; i++) {
          takeOne(batch.key(i), batch.value(i), batch.offset(i))
          next = batch.offset(i) + 1
        }
    },
    records: () => [...objects.values()],
    pinned<K extends ControlKind>(kind: K, hash: string) {
      return (versions.get(controlKey(kind, hash)) ?? null) as ControlRecord<K> | null
    },
    problem() {
      const [first] = unreadable
      if (first === undefined) return null
      return `The control record ${first[0]} cannot be used: ${first[1]}. Its previous content stays in force; apply the configuration again.`
    },
  }
}
