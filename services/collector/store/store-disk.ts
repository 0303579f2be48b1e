/**
 * The directory that a store lies in: one process has it, flat names, no folders. Two implementations pass one
 * contract suite (`test/contract/store-disk.ts`).
 *
 * Every failure is a DependencyError('disk', …): `read_only` when the disk takes no writes, `denied`, `not_found`,
 * else `unavailable`. After a failed `append` or `sync` nobody knows which bytes of that file are on the disk.
 */
export interface StoreDisk {
  list(): Promise<readonly StoreFile[]>
  /** A new file; its name survives a power cut once this resolves. Rejects when the name is taken. */
  create(name: string): Promise<StoreFileWriter>
  /** Bytes from `at` on: `length` of them, fewer only where the file ends. */
  read(name: string, at: number, length: number): Promise<Buffer>
  /** Cuts a file that nobody writes, for good once this resolves. */
  truncate(name: string, bytes: number): Promise<void>
  rename(name: string, to: string): Promise<void>
  /** Gone already is gone. */
  remove(name: string): Promise<void>
  /**
   * Makes these the content of a small file. A killed process leaves the old content or the new; a power cut may
   * also bring back what was there before.
   */
  replace(name: string, content: Uint8Array): Promise<void>
  /** Lets another process have the directory. */
  close(): Promise<void>
}

export interface StoreFile {
  readonly name: string
  readonly bytes: number
}

export interface StoreFileWriter {
  /** At the end of the file; one call at a time. A killed process leaves any beginning of what was appended. */
  append(bytes: Uint8Array): Promise<void>
  /** What was appended before survives a power cut once this resolves. */
  sync(): Promise<void>
  /** Never rejects: what matters was synced. */
  close(): Promise<void>
}
