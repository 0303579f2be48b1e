import { landedHour } from '../../schemas/manifest/v1.ts'
import { parseExactly } from '../core/event/exact-numbers.ts'
import { maskRow } from '../core/event/mask-row.ts'
import type { RecordBatch, TopicPartition } from '../core/kafka/log.ts'
import { HEADERS } from '../core/kafka/topics.ts'
import type { Pinned } from '../core/stream/planned-plan.ts'
import type { SinkBatch } from '../core/stream/planned-sink.ts'
import { batchBorders } from './batch-borders.ts'
import type { CompiledDelivery } from './compiled-delivery.ts'
import { type DeliverEnvironment, deliverBatch } from './deliver-batch.ts'
import { REJECTED_PATH, rejectedLine } from './rejected-line.ts'
import type { Spool } from './spool.ts'
import type { SpoolShare } from './spool-budget.ts'
import { isoTime } from './top-level-text.ts'

/**
 * One open batch of a delivery: routes each record to a partition path in the spool, or counts why it goes nowhere.
 * Files rotate at the hour of landed time, so that an hour can be told complete.
 *
 * @param pathsMax partition paths in one batch at most; it closes when it has that many
 */
export function openDeliveryBatch(
  env: DeliverEnvironment & { readonly pathsMax: number },
  delivery: CompiledDelivery,
  partition: TopicPartition,
  pinned: Pinned,
  spool: Spool,
  share: SpoolShare,
): SinkBatch {
  const { selection, path, timeColumn } = delivery
  const ranges = delivery.ranges?.[partition.partition] ?? null
  const borders = batchBorders(delivery.window, ranges, delivery.untilMs)
  const counts = { read: 0, filtered: 0, control: 0 }
  const recipes = new Set<string>()
  let hour: number | null = null

  /** @returns which count the record falls under; null when it is a row of the spool */
  function route(records: RecordBatch, index: number, landedMs: number): 'filtered' | 'control' | null {
    const source = records.value(index)
    if (source === null || records.header(index, HEADERS.tick) !== null) return 'control'
    if (!borders.isIn(landedMs, records.offset(index))) return 'filtered'
    const dataset = records.header(index, HEADERS.datasetId)
    const event = records.header(index, HEADERS.event)
    if (dataset === null || !selection.matchesHeaders(dataset, event)) return 'filtered'
    const reject = (reason: string) => {
      // What cannot be read cannot be masked.
      spool.add(REJECTED_PATH, rejectedLine(delivery.masksPii ? NOTHING : source, reason), dataset, '')
      return null
    }
    if (!isOneObject(source)) return reject('It is not one JSON object on one line.')
    if (selection.needsBody) {
      const body = parseObject(source)
      if (body === null) return reject('It is not JSON.')
      if (!selection.matches(body)) return 'filtered'
    }
    const row = delivery.masksPii ? maskedRow(source) : source
    if (row === null) return reject('It is not JSON.')
    const time = isoTime(row, timeColumn)
    if (time === null) return reject(`Its ${timeColumn} is missing or is not a time in UTC.`)
    const eventTime = timeColumn === 'event_time' ? time : null
    const collectorTime = path.needs.collectorTime ? isoTime(row, 'collector_time') : null
    const recipe = records.header(index, HEADERS.recipe)
    if (recipe !== null) recipes.add(recipe)
    spool.add(path.of({ dataset, event, landedMs, eventTime, collectorTime }), row, dataset, time)
    return null
  }

  return {
    pinned,
    get limits() {
      const { limits } = delivery
      return borders.isFinished ? { ...limits, ageMs: Math.min(limits.ageMs, FINISHED_AGE_MS) } : limits
    },
    closesBefore: (landedMs, offset) =>
      hour !== null && (landedHour(landedMs) !== hour || borders.between(landedMs, offset)),
    closesNow: () => borders.isReached || share.mustClose || spool.pathCount >= env.pathsMax,
    add(records, index, landedMs) {
      hour ??= landedHour(landedMs)
      borders.passed(landedMs, records.offset(index))
      counts.read++
      const count = route(records, index, landedMs)
      if (count !== null) counts[count]++
    },
    async flush() {
      share.grow(await spool.flush())
    },
    async deliver(plan) {
      const carry = await deliverBatch(env, delivery, partition, plan, spool, {
        ...counts,
        recipes: [...recipes].sort(),
      })
      await spool.remove()
      share.release()
      return carry
    },
    async discard() {
      await spool.remove()
      share.release()
    },
  }
}

const NOTHING = Buffer.alloc(0)

/** Whoever waits for the last manifest of a delivery that has an end is told soon, ms. */
const FINISHED_AGE_MS = 10_000

/** Cheap and sufficient for a line of its own; whether it is JSON shows when it is encoded. */
function isOneObject(row: Buffer): boolean {
  return row[0] === 0x7b && row[row.length - 1] === 0x7d && !row.includes(0x0a) && !row.includes(0x0d)
}

/** @returns null where it is no JSON */
function maskedRow(row: Buffer): Buffer | null {
  try {
    return Buffer.from(JSON.stringify(maskRow(parseExactly(row) as Record<string, unknown>)))
  } catch (error) {
    if (error instanceof SyntaxError) return null
    throw error
  }
}

function parseObject(row: Buffer): Record<string, unknown> | null {
  try {
    return JSON.parse(row.toString()) as Record<string, unknown>
  } catch {
    return null
  }
}
