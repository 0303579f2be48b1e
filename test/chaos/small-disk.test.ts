import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { needs } from '../helpers/needs.ts'
import { openSmallDisk } from './small-disk.ts'

test(
  'a small disk is full, read-only, well again, and gone in the end',
  needs('user-namespaces'),
  async () => {
    const mountPoint = mkdtempSync(join(tmpdir(), 'millrace-disk-'))
    const disk = (await openSmallDisk(mountPoint, 1024 * 1024))!
    const file = join(disk.path, 'file')
    writeFileSync(file, 'kept')
    disk.fill(0)
    expect(() => writeFileSync(join(disk.path, 'more'), 'x')).toThrow('ENOSPC')
    disk.empty()
    writeFileSync(join(disk.path, 'more'), 'x')
    expect(await disk.setReadOnly(true)).toBe(true)
    expect(() => writeFileSync(file, 'other')).toThrow('EROFS')
    expect(await disk.setReadOnly(false)).toBe(true)
    expect(readFileSync(file, 'utf8')).toBe('kept')
    expect(readdirSync(mountPoint)).toEqual([])
    await disk.close()
    expect(existsSync(file)).toBe(false)
    rmSync(mountPoint, { recursive: true })
  },
)
