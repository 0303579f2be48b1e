import { DependencyError } from '../../runtime/errors.ts'

/** Metadata longer than this is refused before it is sent; brokers take 4 KiB unless told otherwise. */
const METADATA_BYTES_MAX = 1024

/** @throws DependencyError `rejected` when the text is longer than 1 KiB */
export function checkMetadata(metadata: string): void {
  const bytes = Buffer.byteLength(metadata)
  if (bytes > METADATA_BYTES_MAX)
    throw new DependencyError(
      'kafka',
      'rejected',
      `Metadata of a position has ${bytes} bytes; the most is ${METADATA_BYTES_MAX}.`,
    )
}
