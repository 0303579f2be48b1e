import type { BatchExportRow } from '../../core/metadata/metadata-tables.ts'
import type { Clock } from '../../core/runtime/clock.ts'
import { DependencyError } from '../../core/runtime/errors.ts'
import { openCredentials } from './batch-export-columns.ts'
import type { BatchExportOptions } from './batch-export-keeper.ts'
import type { DestinationTable } from './destination-table.ts'
import { hostRefused, tableAddress } from './postgres-destination.ts'

/** A table that failed is left alone so long, ms: who waits for one that does not answer holds up the others. */
const REST_MS = 60_000

/** Tables that batch exports go to. */
export interface Tables {
  /**
   * Not connected yet.
   *
   * @returns null for an export to somewhere else
   * @throws DependencyError of the `destination` whose host may not be connected to, or whose credentials do not open
   */
  of(row: BatchExportRow): DestinationTable | null
  /** Leaves it alone for a while, unless it is changed. */
  rest(row: BatchExportRow): void
  isResting(row: BatchExportRow): boolean
}

export function createTables({
  secretKey,
  mayConnect,
  openTable,
  clock,
}: Pick<BatchExportOptions, 'secretKey' | 'mayConnect' | 'openTable'> & {
  readonly clock: Pick<Clock, 'now'>
}): Tables {
  /** By export; as it was when it failed. */
  const resting = new Map<string, { readonly updatedAt: number; readonly untilMs: number }>()
  const nameOf = ({ dataset_id: dataset, id }: BatchExportRow) => `${dataset}/${id}`
  return {
    of(row) {
      if (row.destination !== 'Postgres') return null
      const credentials = openCredentials(row, secretKey)
      if (credentials === null)
        throw new DependencyError(
          'destination',
          'denied',
          'The password of this destination cannot be opened: MILLRACE_SECRET_KEY is not the key that it was sealed with.',
        )
      const address = tableAddress(JSON.parse(row.config), credentials.password ?? '')
      if (!mayConnect(address.host, address.port))
        throw new DependencyError('destination', 'denied', hostRefused(address.host, address.port))
      return openTable(address)
    },
    rest(row) {
      for (const [name, { untilMs }] of resting) if (untilMs <= clock.now()) resting.delete(name)
      resting.set(nameOf(row), { updatedAt: row.updated_at, untilMs: clock.now() + REST_MS })
    },
    isResting(row) {
      const last = resting.get(nameOf(row))
      if (last === undefined) return false
      if (last.updatedAt === row.updated_at && clock.now() < last.untilMs) return true
      resting.delete(nameOf(row))
      return false
    },
  }
}
