import { closeSync, fstatSync, openSync, readSync } from 'node:fs'

/** Where the metadata of an MMDB file begins, within its last 128 KiB. */
const MARKER = Buffer.from('\xab\xcd\xefMaxMind.com', 'latin1')
const METADATA_BYTES_MAX = 128 * 1024
const KEY = Buffer.from('build_epoch')

/**
 * When an MMDB file was built, epoch ms. The file's own date says nothing: package managers and copies change it.
 *
 * @returns null when there is no such file
 * @throws Error when it is no MMDB file
 * @see https://maxmind.github.io/MaxMind-DB/#database-metadata
 */
export function geoBuildTime(path: string): number | null {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
  try {
    const { size } = fstatSync(file)
    const tail = Buffer.alloc(Math.min(size, METADATA_BYTES_MAX))
    readSync(file, tail, 0, tail.length, size - tail.length)
    const marker = tail.lastIndexOf(MARKER)
    const key = marker < 0 ? -1 : tail.indexOf(KEY, marker)
    if (key < 0) throw new Error(`${path} is not an MMDB file.`)
    // A control byte: the type in the upper three bits (0 means that the next byte has it), the length in the rest.
    const control = tail[key + KEY.length]!
    const start = key + KEY.length + (control >> 5 === 0 ? 2 : 1)
    const length = control & 0x1f
    return length === 0
      ? 0
      : Number(BigInt(`0x${tail.subarray(start, start + length).toString('hex')}`)) * 1000
  } finally {
    closeSync(file)
  }
}
