/**
 * The object store as sinks and tools see it. Two implementations pass one contract suite
 * (`test/contract/object-store.ts`): the S3 adapter against a real S3 server, and the in-memory store of the tests.
 *
 * Failures are DependencyError('s3', …): `precondition_failed` for a conditional write that lost, `not_found`,
 * `denied`, `overloaded`, `unavailable`, `timeout`, `rejected`, `corrupt`.
 */
export interface ObjectStore {
  /**
   * Writes the object only when none has this key (If-None-Match: *). Every write of millrace is such a write:
   * nothing is ever overwritten. The body is complete before the first byte is sent and goes out with its checksum.
   *
   * @param body     bytes, or a file of known length that nobody changes meanwhile
   * @param metadata small text values kept with the object, lower-case keys
   * @throws `precondition_failed` when the key exists
   */
  putIfAbsent(bucket: string, key: string, body: ObjectBody, options: PutOptions): Promise<void>
  /** Null when there is no such object. */
  head(bucket: string, key: string): Promise<ObjectHead | null>
  /** Null when there is no such object. `range` is a byte range, both ends included. */
  get(
    bucket: string,
    key: string,
    range?: { readonly start: number; readonly end: number },
  ): Promise<Buffer | null>
  /** Downloads to a file; null when there is no such object. Resolves to the byte count. */
  download(bucket: string, key: string, path: string): Promise<number | null>
  /** Keys under a prefix in key order, after `startAfter` when given. Pages are fetched as the caller goes on. */
  list(bucket: string, prefix: string, startAfter?: string): AsyncIterable<ListedObject>
  delete(bucket: string, key: string): Promise<void>
  createBucket(bucket: string): Promise<void>
  close(): void
}

export type ObjectBody = { readonly bytes: Uint8Array } | { readonly file: string; readonly length: number }

export interface PutOptions {
  readonly contentType: string
  readonly metadata?: Readonly<Record<string, string>>
}

export interface ObjectHead {
  /** Bytes. */
  readonly length: number
  readonly metadata: Readonly<Record<string, string>>
}

export interface ListedObject {
  readonly key: string
  readonly length: number
}
