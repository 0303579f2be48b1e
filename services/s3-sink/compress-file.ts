import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createGzip, createZstdCompress } from 'node:zlib'
import { onDisk } from './disk-errors.ts'

export type Codec = 'gzip' | 'zstd'

/** Between speed and size: level 6 takes half as long again for a twentieth less. */
const GZIP_LEVEL = 4
const ZSTD_LEVEL = 3

/** What names the bytes that compression gives: the same libraries and levels give the same bytes. */
export function codecId(codec: Codec): string {
  return codec === 'gzip'
    ? `zlib-${process.versions.zlib}-${GZIP_LEVEL}`
    : `zstd-${process.versions.zstd}-${ZSTD_LEVEL}`
}

export interface WrittenFile {
  readonly bytes: number
  /** Hex. */
  readonly sha256: string
}

/** Compresses on the thread pool, in constant memory. */
export async function compressFile(
  chunks: AsyncIterable<Uint8Array>,
  codec: Codec,
  to: string,
): Promise<WrittenFile> {
  const compressor =
    codec === 'gzip'
      ? createGzip({ level: GZIP_LEVEL })
      : createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } })
  const { through, result } = measure()
  await onDisk(`Writing ${to}`, () =>
    pipeline(Readable.from(chunks, { objectMode: false }), compressor, through, createWriteStream(to)),
  )
  return result()
}

/** Size and hash of a file that is complete. */
export async function measureFile(file: string): Promise<WrittenFile> {
  const hash = createHash('sha256')
  let bytes = 0
  for await (const chunk of createReadStream(file)) {
    hash.update(chunk as Buffer)
    bytes += (chunk as Buffer).length
  }
  return { bytes, sha256: hash.digest('hex') }
}

function measure() {
  const hash = createHash('sha256')
  let bytes = 0
  const through = new Transform({
    transform(chunk: Buffer, _, done) {
      hash.update(chunk)
      bytes += chunk.length
      done(null, chunk)
    },
  })
  return { through, result: (): WrittenFile => ({ bytes, sha256: hash.digest('hex') }) }
}
