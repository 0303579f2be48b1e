import { createHash } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { open, rm } from 'node:fs/promises'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { constants, createBrotliCompress, createGzip, createZstdCompress } from 'node:zlib'
import type { FileCodec } from '../core/control/file-compression.ts'
import { DependencyError } from '../core/runtime/errors.ts'
import type { Disk, WrittenFile } from './disk.ts'

/** Between speed and size: level 6 takes half as long again for a twentieth less. */
const GZIP_LEVEL = 4
const ZSTD_LEVEL = 3
/** Its own default, 11, takes a hundred times as long. */
const BROTLI_QUALITY = 5
const READ_BYTES = 1024 * 1024

const COMPRESSORS: Readonly<Record<FileCodec, { readonly id: string; readonly open: () => Transform }>> = {
  gzip: { id: `zlib-${process.versions.zlib}-${GZIP_LEVEL}`, open: () => createGzip({ level: GZIP_LEVEL }) },
  zstd: {
    id: `zstd-${process.versions.zstd}-${ZSTD_LEVEL}`,
    open: () => createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: ZSTD_LEVEL } }),
  },
  brotli: {
    id: `brotli-${process.versions.brotli}-${BROTLI_QUALITY}`,
    open: () => createBrotliCompress({ params: { [constants.BROTLI_PARAM_QUALITY]: BROTLI_QUALITY } }),
  },
}

const FULL = new Set(['ENOSPC', 'EDQUOT', 'EROFS'])
const PASSING = new Set(['EIO', 'EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN'])

/** The file system. A file is open only while it is written to or read, so open batches are not bounded by handles. */
export function nodeDisk(): Disk {
  return {
    write: (file, at, bytes) =>
      onDisk(`Writing ${file}`, async () => {
        const handle = await open(file, at === 0 ? 'w' : 'r+')
        try {
          let written = 0
          while (written < bytes.length) {
            const { bytesWritten } = await handle.write(bytes, written, bytes.length - written, at + written)
            written += bytesWritten
          }
        } finally {
          await handle.close()
        }
      }),

    async *read(file, start = 0, end = Number.POSITIVE_INFINITY) {
      const reading = `Reading ${file}`
      const handle = await onDisk(reading, () => open(file, 'r'))
      try {
        for (let at = start; at < end; ) {
          const buffer = Buffer.allocUnsafe(Math.min(READ_BYTES, end - at))
          const { bytesRead } = await onDisk(reading, () => handle.read(buffer, 0, buffer.length, at))
          if (bytesRead === 0) {
            if (end === Number.POSITIVE_INFINITY) return
            throw new Error(`${file} ends at ${at}, before ${end}`)
          }
          at += bytesRead
          yield buffer.subarray(0, bytesRead)
        }
      } finally {
        await handle.close()
      }
    },

    // On the thread pool.
    async compress(chunks, codec, to) {
      const { through, result } = measuring()
      await onDisk(`Writing ${to}`, () =>
        pipeline(
          Readable.from(chunks, { objectMode: false }),
          COMPRESSORS[codec].open(),
          through,
          createWriteStream(to),
        ),
      )
      return result()
    },

    codecId: (codec) => COMPRESSORS[codec].id,

    measure: (file) =>
      onDisk(`Reading ${file}`, async () => {
        const hash = createHash('sha256')
        let bytes = 0
        for await (const chunk of createReadStream(file)) {
          hash.update(chunk as Buffer)
          bytes += (chunk as Buffer).length
        }
        return { bytes, sha256: hash.digest('hex') }
      }),

    remove: (...files) =>
      onDisk(`Removing ${files.join(', ')}`, async () => {
        await Promise.all(files.map((file) => rm(file, { force: true })))
      }),
  }
}

/** What the disk refuses comes out as a DependencyError, anything else unchanged. */
export async function onDisk<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    const code = (error as NodeJS.ErrnoException | null)?.code ?? ''
    if (FULL.has(code))
      throw new DependencyError('disk', 'read_only', `${what}: the disk takes no writes (${code}).`, error)
    if (PASSING.has(code)) throw new DependencyError('disk', 'unavailable', `${what}: ${code}.`, error)
    throw error
  }
}

function measuring() {
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
