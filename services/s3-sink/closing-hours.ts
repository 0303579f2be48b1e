import type { ClosedHour, ClosedHourContent } from '../../schemas/closed-hour/v1.ts'
import { hourText, landedHour, type Manifest, type ManifestReceipt } from '../../schemas/manifest/v1.ts'

/** A manifest as far as closing its hour needs it. */
interface HourManifest {
  readonly start: number
  readonly end: number
  readonly hour: number
  readonly sha256: string
  readonly receipt: ManifestReceipt
  readonly objects: number
  readonly bytes: number
}

/** Manifests of one delivery and topic that no closed hour lists yet. Nothing here reads or writes anything. */
export interface ClosingHours {
  /** First offset that the partition's next manifest must have; null when any will do: nothing of it was seen yet. */
  next(partition: number): number | null
  /**
   * Takes the next manifest of its partition.
   *
   * @returns null, or one sentence saying why it does not follow the one before
   */
  add(manifest: Manifest, sha256: string): string | null
  /**
   * The earliest hour that every partition has gone past, without `previous`; null when there is none. An hour that
   * some partition may still add to is not given, and neither is any after it.
   */
  complete(): Omit<ClosedHourContent, 'previous'> | null
  /** The hour that `complete` gave is closed. */
  close(): void
}

/**
 * @param partitions count of the topic's partitions
 * @param last       the closed hour to go on from, null for the first
 */
export function closingHours(
  of: Pick<ClosedHour, 'delivery' | 'bucket' | 'topic'>,
  partitions: number,
  last: ClosedHour | null,
): ClosingHours {
  const { delivery, bucket, topic } = of
  const pending = Array.from({ length: partitions }, (): HourManifest[] => [])
  /** Last offset that a closed hour covers, per partition. */
  const closedTo = Array.from(
    { length: partitions },
    (_, partition) => last?.partitions.find((each) => each.partition === partition)?.end ?? null,
  )
  let lastHour = last === null ? Number.NEGATIVE_INFINITY : landedHour(Date.parse(last.hour))

  const next = (partition: number): number | null => {
    const end = pending[partition]?.at(-1)?.end ?? closedTo[partition] ?? null
    return end === null ? null : end + 1
  }
  /** Last offset that a closed hour covers once one with `own` manifests is closed; before it nothing was delivered. */
  const endWith = (partition: number, own: readonly HourManifest[]): number =>
    own.at(-1)?.end ?? closedTo[partition] ?? pending[partition]![0]!.start - 1
  const hourNow = (): number | null => {
    const firsts = pending.map(([first]) => first?.hour)
    if (firsts.some((hour) => hour === undefined)) return null
    const hour = Math.min(...(firsts as number[]))
    return pending.every((manifests) => manifests.at(-1)!.hour > hour) ? hour : null
  }

  return {
    next,
    add({ source, receipt, objects }, sha256) {
      const { partition, start, end } = source
      const expected = next(partition)
      if (expected !== null && start !== expected)
        return `It begins at ${start} where ${expected} must follow.`
      const hour = landedHour(source.landed)
      const before = pending[partition]?.at(-1)?.hour ?? lastHour
      // A closed hour lies before everything that comes, unless manifests were put there by something else.
      if (hour < before || hour <= lastHour)
        return `It belongs to the hour ${hourText(hour)}, which was complete before.`
      const bytes = objects.reduce((sum, object) => sum + object.bytes, 0)
      pending[partition]?.push({ start, end, hour, sha256, receipt, objects: objects.length, bytes })
      return null
    },
    complete() {
      const hour = hourNow()
      if (hour === null) return null
      const receipt = { read: 0, delivered: 0, filtered: 0, rejected: 0, control: 0 }
      let [objects, bytes] = [0, 0]
      const closed = pending.map((manifests, partition) => {
        const own = manifests.filter((manifest) => manifest.hour === hour)
        for (const manifest of own) {
          for (const count of Object.keys(receipt) as (keyof ManifestReceipt)[])
            receipt[count] += manifest.receipt[count]
          objects += manifest.objects
          bytes += manifest.bytes
        }
        return {
          partition,
          end: endWith(partition, own),
          manifests: own.map(({ start, sha256 }) => ({ start, sha256 })),
        }
      })
      return {
        v: 1,
        delivery,
        bucket,
        topic,
        hour: hourText(hour),
        partitions: closed,
        receipt,
        objects,
        bytes,
      }
    },
    close() {
      const hour = hourNow()
      if (hour === null) throw new Error('No hour is complete.')
      for (const [partition, manifests] of pending.entries()) {
        const own = manifests.filter((manifest) => manifest.hour === hour)
        closedTo[partition] = endWith(partition, own)
        manifests.splice(0, own.length)
      }
      lastHour = hour
    },
  }
}
