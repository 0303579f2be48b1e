import type { Delivery } from '../../../schemas/control/v1.ts'

/** What the files of a delivery can be compressed with, by format; the first where it does not say. */
export const FILE_COMPRESSIONS = {
  parquet: ['zstd', 'gzip', 'brotli', 'lz4', 'snappy'],
  jsonl: ['gzip', 'zstd', 'brotli'],
  csv: ['gzip', 'zstd', 'brotli'],
} as const satisfies Record<Delivery['format'], readonly NonNullable<Delivery['compression']>[]>

/** Around a whole file. */
export type FileCodec = (typeof FILE_COMPRESSIONS)['jsonl' | 'csv'][number]
/** Of the pages inside of a Parquet file; lz4 is what the format calls LZ4_RAW. */
export type PageCodec = (typeof FILE_COMPRESSIONS)['parquet'][number]

/** What the name of a file compressed as a whole ends with. */
export const FILE_ENDINGS: Readonly<Record<FileCodec, string>> = { gzip: 'gz', zstd: 'zst', brotli: 'br' }

const FORMAT_NAMES = { parquet: 'Parquet', jsonl: 'JSON Lines', csv: 'CSV' } as const

/** @returns what is wrong with a compression for files of this format, as a sentence without its full stop; null for nothing */
export function compressionFault(
  format: Delivery['format'],
  compression: Delivery['compression'] | undefined,
): string | null {
  const possible: readonly string[] = FILE_COMPRESSIONS[format]
  if (compression === undefined || possible.includes(compression)) return null
  return `${FORMAT_NAMES[format]} files are compressed with ${possible.slice(0, -1).join(', ')} or ${possible.at(-1)}, not with ${compression}`
}
