import { sql } from 'kysely'
import type { Metadata, MetadataQueries } from '../../core/metadata/metadata.ts'
import type { CohortCalculationRow, CohortRow } from '../../core/metadata/metadata-tables.ts'
import type { ListPage } from '../http/list-page.ts'

export const CALCULATION_LIMITS = {
  /** Between the beginnings of two calculations of a cohort that nobody asked for. */
  everyMs: 15 * 60_000,
  /** In a row; then a cohort is left alone until somebody changes it or asks for it. */
  errors: 20,
  /** A calculation that has not ended by then was given up by whoever began it. */
  leaseMs: 15 * 60_000,
  /** Ended calculations that are remembered, and so how far back the history of members goes. */
  remembered: 1_000,
} as const

/** What a calculation found. */
export interface CalculationResult {
  readonly members: number
  /** Against the set that held before. */
  readonly entered: number
  readonly left: number
}

/**
 * Which calculation of a cohort holds. Sets are written elsewhere and become visible by {@link publish} alone, in one
 * statement. Every member rejects with a DependencyError when the database does not answer.
 */
export interface CalculationStore {
  /** Dynamic cohorts whose turn it is: those that somebody asked for, then the ones that have waited longest. */
  due(nowMs: number, limit: number): Promise<CohortRow[]>
  /** @returns the cohort with its new number `begun`; null while a calculation is running, and of one that is not there */
  begin(dataset: string, id: number, nowMs: number): Promise<CohortRow | null>
  /** @returns false, and nothing changed, when it was overtaken: by another calculation, or by other criteria */
  publish(begun: CohortRow, result: CalculationResult, nowMs: number): Promise<boolean>
  /** @param reason for people to read; null for a failure that is nobody's fault and does not count */
  fail(begun: CohortRow, reason: string | null, nowMs: number): Promise<void>
  /** Asks for a calculation at once. @returns the cohort; null when it is not there */
  ask(dataset: string, id: number): Promise<CohortRow | null>
  /** Calculations that ended, the latest first. */
  list(
    dataset: string,
    cohort: number,
    page: ListPage,
  ): Promise<{ readonly rows: CohortCalculationRow[]; readonly count: number }>
  forget(dataset: string, cohort: number): Promise<void>
  /** Every cohort of a dataset that is not deleted. */
  all(dataset: string): Promise<CohortRow[]>
}

export function createCalculationStore(metadata: Metadata): CalculationStore {
  const { db } = metadata
  const first = async (query: ReturnType<typeof sql<CohortRow>>, on: MetadataQueries = db) =>
    (await query.execute(on)).rows[0] ?? null
  const isOf = (dataset: string, id: number) => sql`dataset_id = ${dataset} AND id = ${id}`
  const isBegun = ({ dataset_id, id, begun }: CohortRow) => sql`${isOf(dataset_id, id)} AND begun = ${begun}`

  async function remember(on: MetadataQueries, row: CohortCalculationRow): Promise<void> {
    await on.insertInto('cohort_calculations').values(row).execute()
    await sql`DELETE FROM cohort_calculations
      WHERE dataset_id = ${row.dataset_id} AND cohort_id = ${row.cohort_id} AND calculation <= (
        SELECT calculation FROM cohort_calculations
        WHERE dataset_id = ${row.dataset_id} AND cohort_id = ${row.cohort_id}
        ORDER BY calculation DESC LIMIT 1 OFFSET ${CALCULATION_LIMITS.remembered})`.execute(on)
  }

  return {
    async due(nowMs, limit) {
      const { rows } = await sql<CohortRow>`SELECT * FROM cohorts
        WHERE is_static = 0 AND deleted = 0 AND (begun_until IS NULL OR begun_until <= ${nowMs})
        AND (is_due = 1 OR (errors < ${CALCULATION_LIMITS.errors}
          AND coalesce(begun_at, 0) <= ${nowMs - CALCULATION_LIMITS.everyMs}))
        ORDER BY is_due DESC, coalesce(begun_at, 0), dataset_id, id LIMIT ${limit}`.execute(db)
      return rows
    },
    begin: (dataset, id, nowMs) =>
      first(sql<CohortRow>`UPDATE cohorts SET begun = begun + 1, begun_at = ${nowMs}, is_due = 0,
        begun_until = ${nowMs + CALCULATION_LIMITS.leaseMs}
        WHERE ${isOf(dataset, id)} AND deleted = 0 AND (begun_until IS NULL OR begun_until <= ${nowMs})
        RETURNING *`),
    publish: (begun, { members, entered, left }, nowMs) =>
      metadata.transaction(async (inside) => {
        const held = await first(
          sql<CohortRow>`UPDATE cohorts SET calculation = begun, members = ${members}, calculated_at = ${nowMs},
            begun_until = NULL, errors = 0
            WHERE ${isBegun(begun)} AND filters = ${begun.filters} RETURNING *`,
          inside,
        )
        if (held === null) {
          await sql`UPDATE cohorts SET begun_until = NULL WHERE ${isBegun(begun)}`.execute(inside)
          return false
        }
        await remember(inside, {
          dataset_id: begun.dataset_id,
          cohort_id: begun.id,
          calculation: begun.begun,
          begun_at: begun.begun_at as number,
          ended_at: nowMs,
          members,
          entered,
          left_it: left,
          error: null,
        })
        return true
      }),
    fail: (begun, reason, nowMs) =>
      metadata.transaction(async (inside) => {
        const row = await first(
          sql<CohortRow>`UPDATE cohorts SET begun_until = NULL, errors = errors + ${reason === null ? 0 : 1}
            WHERE ${isBegun(begun)} RETURNING *`,
          inside,
        )
        if (row === null || reason === null) return
        await remember(inside, {
          dataset_id: begun.dataset_id,
          cohort_id: begun.id,
          calculation: begun.begun,
          begun_at: begun.begun_at as number,
          ended_at: nowMs,
          members: null,
          entered: null,
          left_it: null,
          error: reason,
        })
      }),
    ask: (dataset, id) =>
      first(
        sql<CohortRow>`UPDATE cohorts SET is_due = 1 WHERE ${isOf(dataset, id)} AND deleted = 0 RETURNING *`,
      ),
    async list(dataset, cohort, { limit, offset }) {
      const from = sql`FROM cohort_calculations WHERE dataset_id = ${dataset} AND cohort_id = ${cohort}`
      const counted = await sql<{ count: number }>`SELECT count(*) AS count ${from}`.execute(db)
      const { rows } = await sql<CohortCalculationRow>`SELECT * ${from}
        ORDER BY calculation DESC LIMIT ${limit} OFFSET ${offset}`.execute(db)
      return { rows, count: counted.rows[0]?.count ?? 0 }
    },
    async forget(dataset, cohort) {
      await sql`DELETE FROM cohort_calculations WHERE dataset_id = ${dataset} AND cohort_id = ${cohort}`.execute(
        db,
      )
    },
    async all(dataset) {
      const { rows } = await sql<CohortRow>`SELECT * FROM cohorts
        WHERE dataset_id = ${dataset} AND deleted = 0 ORDER BY id`.execute(db)
      return rows
    },
  }
}
