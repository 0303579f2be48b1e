import { landedHour } from '../../schemas/manifest/v1.ts'
import type { RecordBatch, TopicPartition } from '../core/kafka/log.ts'
import { HEADERS } from '../core/kafka/topics.ts'
import type { Pinned } from '../core/stream/planned-plan.ts'
import type { SinkBatch } from '../core/stream/planned-sink.ts'
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
  const counts = { read: 0, filtered: 0, control: 0 }
  const recipes = new Set<string>()
  let hour: number | null = null

  /** @returns which count the record falls under; null when it is a row of the spool */
  function route(records: RecordBatch, index: number, landedMs: number): 'filtered' | 'control' | null {
    const row = records.value(index)
    if (row === null || records.header(index, HEADERS.tick) !== null) return 'control'
    const dataset = records.header(index, HEADERS.datasetId)
    const event = records.header(index, HEADERS.event)
    if (dataset === null || !selection.matchesHeaders(dataset, event)) return 'filtered'
    const reject = (reason: string) => {
      spool.add(REJECTED_PATH, rejectedLine(row, reason), dataset, '')
      return null
    }
    if (!isOneObject(row)) return reject('It is not one JSON object on one line.')
    if (selection.needsBody) {
      const body = parseObject(row)
      if (body === null) return reject('It is not JSON.')
      if (!selection.matches(body)) return 'filtered'
    }
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
    limits: delivery.limits,
    closesBefore: (landedMs) => hour !== null && landedHour(landedMs) !== hour,
    closesNow: () => share.mustClose || spool.pathCount >= env.pathsMax,
    add(records, index, landedMs) {
      hour ??= landedHour(landedMs)
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

/** Cheap and sufficient for a line of its own; whether it is JSON shows when it is encoded. */
function isOneObject(row: Buffer): boolean {
  return row[0] === 0x7b && row[row.length - 1] === 0x7d && !row.includes(0x0a) && !row.includes(0x0d)
}

function parseObject(row: Buffer): Record<string, unknown> | null {
  try {
    return JSON.parse(row.toString()) as Record<string, unknown>
  } catch {
    return null
  }
}
