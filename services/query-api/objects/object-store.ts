import { type RawBuilder, sql } from 'kysely'
import type { Metadata, MetadataQueries } from '../../core/metadata/metadata.ts'
import type { MetadataTables, ObjectRow } from '../../core/metadata/metadata-tables.ts'
import type { ListPage } from '../http/list-page.ts'

/** The columns that a kind of object has for itself. */
export type OwnColumns<R extends ObjectRow> = Omit<R, keyof ObjectRow>
/** What may change, in one update. */
export type ColumnChange<R extends ObjectRow> = Partial<OwnColumns<R>> & { readonly deleted?: number }

/** Filters of a list by their names, as text; null for one that was not given. */
export type ListFilters = Readonly<Record<string, string | null>>

/** One kind of objects of datasets. Every member rejects with a DependencyError when the database does not answer. */
export interface ObjectStore<R extends ObjectRow> {
  /**
   * The number of the object that an address names by another text than its number; null when there is none. Left out
   * where numbers are the only names.
   */
  numberOf?(dataset: string, text: string): Promise<number | null>
  /** Objects that are not deleted. */
  list(
    dataset: string,
    filters: ListFilters,
    page: ListPage,
  ): Promise<{ readonly rows: R[]; readonly count: number }>
  /** Deleted ones too. */
  get(dataset: string, id: number): Promise<R | null>
  /** @returns null when the dataset has so many already; throws DependencyError `precondition_failed` for a name twice */
  create(dataset: string, columns: OwnColumns<R>, atMs: number, by: string): Promise<R | null>
  /**
   * @param seenMs `updated_at` of the object that the change was made from; null to change whatever is there
   * @returns the object as it is now; null when it is not there, or is not the one that was seen
   */
  update(
    dataset: string,
    id: number,
    change: ColumnChange<R>,
    atMs: number,
    seenMs: number | null,
  ): Promise<R | null>
  /** For good. @returns whether it was there */
  remove(dataset: string, id: number): Promise<boolean>
}

export interface ObjectTable {
  readonly table: keyof MetadataTables
  /** Objects of a dataset at most, deleted ones among them. */
  readonly objectsMax: number
  /** Of lists, as their filters ask for it; it must be total. */
  readonly order: RawBuilder<unknown> | ((filters: ListFilters) => RawBuilder<unknown>)
  /** Conditions of a list. */
  where(filters: ListFilters): readonly RawBuilder<unknown>[]
}

/** The metadata database, or a transaction of it. */
export type Transactions = Pick<Metadata, 'db' | 'transaction'>

/** A transaction as stores take it: what they do in one of their own is part of it. */
export function within(db: MetadataQueries): Transactions {
  return { db, transaction: (work) => work(db) }
}

export function createObjectStore<R extends ObjectRow>(
  metadata: Transactions,
  kind: ObjectTable,
): ObjectStore<R> {
  const { db } = metadata
  const table = sql.table(kind.table)
  const found = async (query: RawBuilder<R>, on: MetadataQueries = db) =>
    (await query.execute(on)).rows[0] ?? null

  return {
    async list(dataset, filters, { limit, offset }) {
      const conditions = [sql`dataset_id = ${dataset}`, sql`deleted = 0`, ...kind.where(filters)]
      const order = typeof kind.order === 'function' ? kind.order(filters) : kind.order
      const from = sql`FROM ${table} WHERE ${sql.join(conditions, sql` AND `)}`
      const counted = await sql<{ count: number }>`SELECT count(*) AS count ${from}`.execute(db)
      const rows = await sql<R>`SELECT * ${from} ORDER BY ${order} LIMIT ${limit} OFFSET ${offset}`.execute(
        db,
      )
      return { rows: rows.rows, count: counted.rows[0]?.count ?? 0 }
    },
    get: (dataset, id) => found(sql<R>`SELECT * FROM ${table} WHERE dataset_id = ${dataset} AND id = ${id}`),
    create: (dataset, columns, atMs, by) =>
      metadata.transaction(async (inside) => {
        // The row of the counter is locked from here on, so nobody else adds one before this is done.
        const id = await nextNumber(inside, dataset, kind.table)
        const { rows } = await sql<{ count: number }>`SELECT count(*) AS count FROM ${table}
          WHERE dataset_id = ${dataset}`.execute(inside)
        if ((rows[0]?.count ?? 0) >= kind.objectsMax) return null
        const row = {
          ...columns,
          dataset_id: dataset,
          id,
          deleted: 0,
          created_at: atMs,
          created_by: by,
          updated_at: atMs,
        }
        const names = sql.join(Object.keys(row).map((name) => sql.ref(name)))
        return found(
          sql<R>`INSERT INTO ${table} (${names}) VALUES (${sql.join(Object.values(row))}) RETURNING *`,
          inside,
        )
      }),
    update: (dataset, id, change, atMs, seenMs) => {
      const assignments = Object.entries(change).map(([name, value]) => sql`${sql.ref(name)} = ${value}`)
      const newer = sql`updated_at = CASE WHEN updated_at < ${atMs} THEN ${atMs} ELSE updated_at + 1 END`
      const seen = seenMs === null ? sql`` : sql`AND updated_at = ${seenMs}`
      return found(sql<R>`UPDATE ${table} SET ${sql.join([...assignments, newer])}
        WHERE dataset_id = ${dataset} AND id = ${id} ${seen} RETURNING *`)
    },
    remove: async (dataset, id) => {
      const { numAffectedRows } = await sql`DELETE FROM ${table}
        WHERE dataset_id = ${dataset} AND id = ${id}`.execute(db)
      return (numAffectedRows ?? 0n) > 0n
    },
  }
}

/** The number after the last one of a kind in a dataset; its counter is locked until the transaction ends. */
export async function nextNumber(db: MetadataQueries, dataset: string, kind: string): Promise<number> {
  const { last } = await db
    .insertInto('object_numbers')
    .values({ dataset_id: dataset, kind, last: 1 })
    .onConflict((conflict) =>
      conflict
        .columns(['dataset_id', 'kind'])
        .doUpdateSet((row) => ({ last: row('object_numbers.last', '+', 1) })),
    )
    .returning('last')
    .executeTakeFirstOrThrow()
  return last
}

/** Does a column hold this text, in any case of its ASCII letters? `%` and `_` mean themselves. */
export function holdsText(column: string, text: string): RawBuilder<unknown> {
  const pattern = `%${text.toLowerCase().replace(/[\\%_]/g, '\\$&')}%`
  return sql`lower(${sql.ref(column)}) LIKE ${pattern} ESCAPE '\\'`
}
