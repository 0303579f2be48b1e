import { sql } from 'kysely'
import type { Metadata } from '../../core/metadata/metadata.ts'
import type { ExportRow } from '../../core/metadata/metadata-tables.ts'
import type { ListPage } from '../http/list-page.ts'
import { nextNumber } from '../objects/object-store.ts'

/** Exports of a dataset at most, those that failed and those not expired yet among them. */
export const EXPORTS_MAX = 1_000
/** Times that an export is begun. One that ends its process every time must not do so for ever. */
export const ATTEMPTS_MAX = 3

export type NewExport = Pick<ExportRow, 'source' | 'media_type' | 'filename' | 'created_by' | 'expires_at'>
export type ExportOutcome = Pick<ExportRow, 'status' | 'row_count' | 'byte_count' | 'error' | 'finished_at'>

/** Exports as the metadata database has them. Every member rejects with a DependencyError when it does not answer. */
export interface ExportStore {
  /** @returns null when the dataset has as many as it may */
  create(dataset: string, made: NewExport, atMs: number): Promise<ExportRow | null>
  get(dataset: string, id: number): Promise<ExportRow | null>
  /** The newest first. */
  list(dataset: string, page: ListPage): Promise<{ readonly rows: ExportRow[]; readonly count: number }>
  /**
   * Takes the oldest one that nobody works on: new ones, and those whose lease ran out. Of many who ask at once each gets
   * another one; its `attempts` is the claim.
   */
  claim(nowMs: number, leasedUntilMs: number): Promise<ExportRow | null>
  /** @returns false when the claim is not this one any more: stop */
  renew(claim: ExportRow, leasedUntilMs: number): Promise<boolean>
  /** Ends a claim, or gives it back (`pending`). @returns false when it is not this one any more: nothing was changed */
  settle(claim: ExportRow, outcome: ExportOutcome): Promise<boolean>
  /** Those that are to go, the oldest first. */
  expired(nowMs: number, limit: number): Promise<readonly ExportRow[]>
  /** @returns what was removed; null when it was not there */
  remove(dataset: string, id: number): Promise<ExportRow | null>
}

export function createExportStore(metadata: Metadata): ExportStore {
  const { db } = metadata
  const ofClaim = ({ dataset_id, id, attempts }: ExportRow) =>
    sql`dataset_id = ${dataset_id} AND id = ${id} AND attempts = ${attempts} AND status = 'running'`
  return {
    create: (dataset, made, atMs) =>
      metadata.transaction(async (inside) => {
        const id = await nextNumber(inside, dataset, 'exports')
        const { rows } = await sql<{ count: number }>`SELECT count(*) AS count FROM exports
          WHERE dataset_id = ${dataset}`.execute(inside)
        if ((rows[0]?.count ?? 0) >= EXPORTS_MAX) return null
        return inside
          .insertInto('exports')
          .values({
            ...made,
            dataset_id: dataset,
            id,
            status: 'pending',
            row_count: null,
            byte_count: null,
            error: null,
            attempts: 0,
            leased_until: null,
            created_at: atMs,
            finished_at: null,
          })
          .returningAll()
          .executeTakeFirstOrThrow()
      }),
    get: async (dataset, id) =>
      (await db
        .selectFrom('exports')
        .selectAll()
        .where('dataset_id', '=', dataset)
        .where('id', '=', id)
        .executeTakeFirst()) ?? null,
    async list(dataset, { limit, offset }) {
      const counted = await sql<{ count: number }>`SELECT count(*) AS count FROM exports
        WHERE dataset_id = ${dataset}`.execute(db)
      const rows = await sql<ExportRow>`SELECT * FROM exports WHERE dataset_id = ${dataset}
        ORDER BY id DESC LIMIT ${limit} OFFSET ${offset}`.execute(db)
      return { rows: rows.rows, count: counted.rows[0]?.count ?? 0 }
    },
    async claim(nowMs, leasedUntilMs) {
      const due = await sql<ExportRow>`SELECT * FROM exports
        WHERE status = 'pending' OR (status = 'running' AND leased_until < ${nowMs})
        ORDER BY created_at, dataset_id, id LIMIT 10`.execute(db)
      for (const { dataset_id, id, attempts } of due.rows) {
        // The number tells whether somebody else was faster; he has then counted it up.
        const { rows } = await sql<ExportRow>`UPDATE exports
          SET status = 'running', attempts = attempts + 1, leased_until = ${leasedUntilMs}
          WHERE dataset_id = ${dataset_id} AND id = ${id} AND attempts = ${attempts}
            AND (status = 'pending' OR (status = 'running' AND leased_until < ${nowMs}))
          RETURNING *`.execute(db)
        if (rows[0] !== undefined) return rows[0]
      }
      return null
    },
    async renew(claim, leasedUntilMs) {
      const { numAffectedRows } = await sql`UPDATE exports SET leased_until = ${leasedUntilMs}
        WHERE ${ofClaim(claim)}`.execute(db)
      return (numAffectedRows ?? 0n) > 0n
    },
    async settle(claim, { status, row_count, byte_count, error, finished_at }) {
      const { numAffectedRows } = await sql`UPDATE exports
        SET status = ${status}, row_count = ${row_count}, byte_count = ${byte_count}, error = ${error},
          finished_at = ${finished_at}, leased_until = NULL
        WHERE ${ofClaim(claim)}`.execute(db)
      return (numAffectedRows ?? 0n) > 0n
    },
    expired: async (nowMs, limit) =>
      (
        await sql<ExportRow>`SELECT * FROM exports WHERE expires_at <= ${nowMs}
        ORDER BY expires_at LIMIT ${limit}`.execute(db)
      ).rows,
    remove: async (dataset, id) =>
      (
        await sql<ExportRow>`DELETE FROM exports WHERE dataset_id = ${dataset} AND id = ${id}
        RETURNING *`.execute(db)
      ).rows[0] ?? null,
  }
}
