import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import { describe, expect, onTestFinished, test } from 'vitest'
import type { Disk } from '../../../services/s3-sink/disk.ts'
import { nodeDisk } from '../../../services/s3-sink/node-disk.ts'
import { createMemoryDisk } from '../../helpers/memory-disk.ts'

const kinds: readonly { readonly name: string; readonly open: () => { disk: Disk; dir: string } }[] = [
  {
    name: 'the file system',
    open() {
      const dir = mkdtempSync(join(tmpdir(), 'disk-'))
      onTestFinished(() => rmSync(dir, { recursive: true }))
      return { disk: nodeDisk(), dir }
    },
  },
  { name: 'the disk in memory', open: () => ({ disk: createMemoryDisk(), dir: '/spool' }) },
]

const textOf = async (chunks: AsyncIterable<Buffer>) =>
  Buffer.concat(await Array.fromAsync(chunks)).toString()

describe.each(kinds)('disk contract: $name', ({ open }) => {
  test('what is not there cannot be read', async () => {
    const { disk, dir } = open()
    await expect(textOf(disk.read(join(dir, 'none')))).rejects.toThrow(/ENOENT/)
    await disk.write(join(dir, 'short'), 0, Buffer.from('123'))
    await expect(textOf(disk.read(join(dir, 'short'), 1, 4))).rejects.toThrow(/ends at 3, before 4/)
  })

  test('what is written piece by piece is read whole and by stretches', async () => {
    const { disk, dir } = open()
    const file = join(dir, 'rows')
    await disk.write(file, 0, Buffer.from('one\n'))
    await disk.write(file, 4, Buffer.from('two\n'))
    expect(await textOf(disk.read(file))).toBe('one\ntwo\n')
    expect(await textOf(disk.read(file, 4))).toBe('two\n')
    expect(await textOf(disk.read(file, 2, 5))).toBe('e\nt')
    expect(await textOf(disk.read(file, 8, 8))).toBe('')
    await disk.write(file, 0, Buffer.from('new'))
    expect(await textOf(disk.read(file))).toBe('new')
  })

  test.each([
    ['gzip', gunzipSync],
    ['zstd', zstdDecompressSync],
    ['brotli', brotliDecompressSync],
  ] as const)('%s gives the same bytes for the same content', async (codec, unpack) => {
    const { disk, dir } = open()
    const chunks = async function* () {
      yield Buffer.from('some rows\n'.repeat(100))
      yield Buffer.from('and more')
    }
    const first = await disk.compress(chunks(), codec, join(dir, 'first'))
    expect(await disk.compress(chunks(), codec, join(dir, 'second'))).toEqual(first)
    expect(await disk.measure(join(dir, 'first'))).toEqual(first)
    const bytes = Buffer.concat(await Array.fromAsync(disk.read(join(dir, 'first'))))
    expect(bytes.length).toBe(first.bytes)
    expect(String(unpack(bytes))).toBe(`${'some rows\n'.repeat(100)}and more`)
  })

  test('what is removed is gone, and may be removed again', async () => {
    const { disk, dir } = open()
    const file = join(dir, 'rows')
    await disk.write(file, 0, Buffer.from('x'))
    await disk.remove(file, join(dir, 'never there'))
    await disk.remove(file)
    await expect(textOf(disk.read(file))).rejects.toThrow(/ENOENT/)
  })
})
