import { createHash } from 'node:crypto'
import { brotliCompressSync, constants, gzipSync, zstdCompressSync } from 'node:zlib'
import type { FileCodec } from '../../services/core/control/file-compression.ts'
import type { Disk, WrittenFile } from '../../services/s3-sink/disk.ts'

export interface MemoryDisk extends Disk {
  /** What lies there; tests and the simulation may change it. */
  readonly files: Map<string, Buffer>
}

const COMPRESS: Readonly<Record<FileCodec, (plain: Buffer) => Buffer>> = {
  gzip: (plain) => gzipSync(plain, { level: 1 }),
  zstd: (plain) => zstdCompressSync(plain),
  brotli: (plain) => brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 1 } }),
}

/** The disk of one process, in memory: the same contract as the file system, and nothing leaves the event loop. */
export function createMemoryDisk(): MemoryDisk {
  const files = new Map<string, Buffer>()
  const contentOf = (file: string): Buffer => {
    const found = files.get(file)
    if (!found) throw new Error(`ENOENT: no such file ${file}`)
    return found
  }
  const measured = (bytes: Uint8Array): WrittenFile => ({
    bytes: bytes.length,
    sha256: createHash('sha256').update(bytes).digest('hex'),
  })
  return {
    files,
    async write(file, at, bytes) {
      const before = at === 0 ? Buffer.alloc(0) : contentOf(file)
      files.set(file, Buffer.concat([before.subarray(0, at), bytes]))
    },
    async *read(file, start = 0, end = Number.POSITIVE_INFINITY) {
      const content = contentOf(file)
      if (end !== Number.POSITIVE_INFINITY && end > content.length)
        throw new Error(`${file} ends at ${content.length}, before ${end}`)
      if (start < Math.min(end, content.length)) yield content.subarray(start, Math.min(end, content.length))
    },
    async compress(chunks, codec, to) {
      const plain = Buffer.concat(await Array.fromAsync(chunks))
      const bytes = COMPRESS[codec](plain)
      files.set(to, bytes)
      return measured(bytes)
    },
    codecId: (codec) => `memory-${codec}`,
    async measure(file) {
      return measured(contentOf(file))
    },
    async remove(...names) {
      for (const name of names) files.delete(name)
    },
  }
}
