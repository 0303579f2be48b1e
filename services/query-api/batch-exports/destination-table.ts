import type { ManifestSource } from '../../../schemas/manifest/v1.ts'

/** What a batch is known by in the table it is loaded into. */
export interface LoadedBatch {
  /** Chain of manifests, and with partition and first offset the batch. */
  readonly delivery: string
  readonly source: Pick<ManifestSource, 'partition' | 'start' | 'end'>
  /** Key of its manifest. */
  readonly manifest: string
}

/**
 * A table of somebody else's that batches are loaded into, each once: its rows and the note that they are there come
 * together or not at all. Connects with the first question. Every member rejects with a DependencyError of the
 * `destination`.
 */
export interface DestinationTable {
  /** Makes what is not there yet, and finds out whether it may be written. */
  prepare(): Promise<void>
  /**
   * An event that is there already, of another batch, is replaced.
   *
   * @param rows enriched events as JSON, an object each
   * @returns whether it came; false where it was there
   */
  load(batch: LoadedBatch, rows: readonly string[]): Promise<boolean>
  close(): Promise<void>
}

/** Where such a table is. */
export interface TableAddress {
  readonly host: string
  readonly port: number
  readonly ssl_mode: 'verify-full' | 'require' | 'disable'
  readonly database: string
  readonly user: string
  readonly password: string
  readonly schema: string
  readonly table_name: string
}

export type OpenDestinationTable = (address: TableAddress) => DestinationTable
