import type { Field } from '../../schemas/field.ts'
import type { PageCodec } from '../core/control/file-compression.ts'

/** CSV is not compressed, Parquet inside of the file. */
export type Table = { readonly format: 'csv' } | { readonly format: 'parquet'; readonly pages: PageCodec }

/** Writes rows as a table. One implementation, over DuckDB; a port because only adapters see client libraries. */
export interface TableEncoder {
  /** Names the bytes it gives: the same id and the same rows give the same bytes. */
  readonly id: string
  /**
   * Reads JSON Lines and writes a table.
   *
   * @param rows lines in the file; all of them are written or none
   * @returns null, or why the rows cannot be written; then `to` means nothing
   * @throws DependencyError('disk', …) when there is no room
   */
  encode(
    from: string,
    rows: number,
    fields: readonly Field[],
    table: Table,
    to: string,
  ): Promise<string | null>
  close(): void
}
