import type { FileCodec } from '../core/control/file-compression.ts'

/** Where open batches lie until they are delivered. Nothing on it is needed after a restart. */
export interface Disk {
  /**
   * Writes bytes from a position on; at 0 the file is made anew. Every writer writes at its end.
   *
   * @throws DependencyError('disk', …) `read_only` when there is no room, `unavailable` for what may pass
   */
  write(file: string, at: number, bytes: Uint8Array): Promise<void>
  /**
   * Bytes from `start` on, before `end` or to the end of the file.
   *
   * @throws Error when they are not there; DependencyError('disk', …) as `write` does
   */
  read(file: string, start?: number, end?: number): AsyncIterable<Buffer>
  /** Compresses into a new file, in constant memory. The same bytes give the same file as long as `codecId` is the same. */
  compress(chunks: AsyncIterable<Uint8Array>, codec: FileCodec, to: string): Promise<WrittenFile>
  /** Names the bytes that compression gives. */
  codecId(codec: FileCodec): string
  /** Size and hash of a file that is complete. */
  measure(file: string): Promise<WrittenFile>
  /** Takes files away; those that are not there are gone already. */
  remove(...files: readonly string[]): Promise<void>
}

export interface WrittenFile {
  readonly bytes: number
  /** Hex. */
  readonly sha256: string
}
