import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { rm } from 'node:fs/promises'
import { extname, join } from 'node:path'
import type { Readable, Transform } from 'node:stream'
import { createBrotliDecompress, createGunzip, createZstdDecompress } from 'node:zlib'
import type { DeliveryFormat } from '../../../schemas/manifest/v1.ts'
import type { ObjectStore } from '../../core/object-store/object-store.ts'
import { csvRecordCounter } from './csv-record-counter.ts'

/** What a manifest says of a stored object. */
export interface NamedObject {
  readonly key: string
  readonly rows: number
  readonly bytes: number
  readonly sha256: string
}

/** @returns null when the stored object is as it is said to be, else what is wrong */
export type CheckObject = (
  bucket: string,
  object: NamedObject,
  format: DeliveryFormat,
) => Promise<string | null>

/** Counts the rows of a Parquet file by reading them. @throws Error when it cannot be read */
export type CountParquetRows = (file: string) => Promise<number>

/**
 * Downloads an object, hashes it and counts its rows with readers that share nothing with what wrote it.
 *
 * @param tempDir one object at a time lies there
 */
export function objectChecker(
  store: ObjectStore,
  countParquetRows: CountParquetRows,
  tempDir: string,
): CheckObject {
  const file = join(tempDir, 'object')
  return async (bucket, object, format) => {
    try {
      const bytes = await store.download(bucket, object.key, file)
      if (bytes === null) return 'The object is missing.'
      if (bytes !== object.bytes) return `It has ${bytes} bytes, its manifest says ${object.bytes}.`
      const sha256 = await sha256Of(file)
      if (sha256 !== object.sha256)
        return `Its bytes were changed: their SHA-256 is ${sha256}, its manifest says ${object.sha256}.`
      const rows = await countRows(file, object.key, format, countParquetRows)
      if (typeof rows === 'string') return rows
      return rows === object.rows ? null : `It has ${rows} rows, its manifest says ${object.rows}.`
    } finally {
      await rm(file, { force: true })
    }
  }
}

async function countRows(
  file: string,
  key: string,
  format: DeliveryFormat,
  countParquetRows: CountParquetRows,
): Promise<number | string> {
  try {
    if (format === 'parquet') return await countParquetRows(file)
    const counter = format === 'csv' ? csvRecordCounter() : lineCounter()
    for await (const chunk of unpacked(file, key)) counter.take(chunk as Buffer)
    const count = counter.end()
    return format === 'csv' ? count - 1 : count
  } catch (error) {
    return `It cannot be read as ${format}: ${(error as Error).message}.`
  }
}

const UNPACKERS: Readonly<Record<string, () => Transform>> = {
  '.gz': createGunzip,
  '.zst': createZstdDecompress,
  '.br': createBrotliDecompress,
}

function unpacked(file: string, key: string): Readable {
  const source = createReadStream(file)
  const open = UNPACKERS[extname(key)]
  if (open === undefined) return source
  const unpack = open()
  source.on('error', (error) => unpack.destroy(error))
  return source.pipe(unpack)
}

async function sha256Of(file: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer)
  return hash.digest('hex')
}

function lineCounter() {
  let lines = 0
  let open = false
  return {
    take(chunk: Buffer) {
      for (let at = chunk.indexOf(0x0a); at !== -1; at = chunk.indexOf(0x0a, at + 1)) lines++
      if (chunk.length > 0) open = chunk[chunk.length - 1] !== 0x0a
    },
    end: () => (open ? lines + 1 : lines),
  }
}
