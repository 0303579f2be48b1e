import { DependencyError } from '../runtime/errors.ts'

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

/** The binding writes a terminating NUL after every text, also after an empty one, so that is left out. */
export function nativeMetadata(metadata: string): { metadata?: string } {
  return metadata === '' ? {} : { metadata }
}

/** Text as it was committed, without the NUL that the binding stores after it. */
export function metadataText(metadata: string | null | undefined): string {
  return (metadata ?? '').replace(/\0+$/, '')
}
