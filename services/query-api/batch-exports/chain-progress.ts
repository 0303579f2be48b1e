import type { BatchExportChainRow, BatchExportPositionRow } from '../../core/metadata/metadata-tables.ts'
import type { OffsetRange } from './offset-ranges.ts'

/** A chain that delivers nothing more. */
export function isFinal({ status }: Pick<BatchExportChainRow, 'status'>): boolean {
  return status === 'completed' || status === 'cancelled'
}

/**
 * Up to when the windows of a chain are complete: every partition has a manifest of then or later, or has reached where
 * the chain ends, so nothing is added to them.
 *
 * @param ranges JSON, of the chain
 * @returns epoch ms; 0 while nothing is known, Infinity when all of it is done
 */
export function completeUntilMs(ranges: string, positions: readonly BatchExportPositionRow[]): number {
  if (positions.length === 0) return 0
  const own = JSON.parse(ranges) as OffsetRange[][]
  return Math.min(
    ...positions.map(({ partition_number: partition, next_offset: next, landed }) => {
      const until = own[partition]?.at(-1)?.[1] ?? null
      return until !== null && next >= until ? Number.POSITIVE_INFINITY : landed
    }),
  )
}
